// Writes a GGUF model anew with other weights; Q4_0, the default, is a format whose results do not depend on a row's
// companions. Scripts/setup.sh compiles it once into the llama.cpp prefix: set-up then needs no Swift build.
#include <llama.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum llama_ftype type;
} formats[] = {
    {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},     {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1}, {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
    {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M}, {"F16", LLAMA_FTYPE_MOSTLY_F16},
};

// Keeps warnings and errors, and drops the table of tensors that llama.cpp prints otherwise.
static void forward(enum ggml_log_level level, const char *text, void *unused) {
    (void)unused;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

int main(int count, char **arguments) {
    const char *name = count == 4 ? arguments[3] : "Q4_0";
    size_t format = 0;
    while (format < sizeof formats / sizeof *formats && strcmp(formats[format].name, name) != 0) format++;
    if (count < 3 || count > 4 || format == sizeof formats / sizeof *formats) {
        fprintf(stderr, "usage: requantize IN.gguf OUT.gguf [Q4_0 | Q4_1 | Q8_0 | Q4_K_M | F16]\n");
        return EXIT_FAILURE;
    }
    llama_log_set(forward, NULL);
    llama_backend_init();
    struct llama_model_quantize_params parameters = llama_model_quantize_default_params();
    parameters.ftype = formats[format].type;
    parameters.allow_requantize = true;
    if (llama_model_quantize(arguments[1], arguments[2], &parameters) != 0) {
        fprintf(stderr, "requantize: llama.cpp could not convert %s\n", arguments[1]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
