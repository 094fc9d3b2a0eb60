// Writes a GGUF model anew with Q4_0 weights, the format whose results do not depend on a row's companions.
// Scripts/setup.sh compiles it once into the llama.cpp prefix: set-up then needs no Swift build.
#include <llama.h>

#include <stdio.h>
#include <stdlib.h>

// Keeps warnings and errors, and drops the table of tensors that llama.cpp prints otherwise.
static void forward(enum ggml_log_level level, const char *text, void *unused) {
    (void)unused;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: requantize IN.gguf OUT.gguf\n");
        return EXIT_FAILURE;
    }
    llama_log_set(forward, NULL);
    llama_backend_init();
    struct llama_model_quantize_params parameters = llama_model_quantize_default_params();
    parameters.ftype = LLAMA_FTYPE_MOSTLY_Q4_0;
    parameters.allow_requantize = true;
    if (llama_model_quantize(arguments[1], arguments[2], &parameters) != 0) {
        fprintf(stderr, "requantize: llama.cpp could not convert %s\n", arguments[1]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
