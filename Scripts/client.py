#!/usr/bin/env python3
"""Submits a prompt to an Apus coordinator and prints its tokens, written from Cluster/protocol/README.md alone.

    client.py [--endpoint tcp://127.0.0.1:5700] [--max-tokens N] [--seed S] [--model NAME] [--priority 0|1|2] PROMPT
Needs pyzmq, protobuf and protoc (Debian: python3-zmq python3-protobuf protobuf-compiler).
"""
import argparse, importlib.util, pathlib, subprocess, sys, tempfile, uuid
import zmq

PROTOCOL = pathlib.Path(__file__).resolve().parent.parent / "Cluster" / "protocol"
VERSION, WINDOW = b"\x01", 256

def load_schema():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"-I{PROTOCOL}", f"--python_out={folder}", "apus.proto"], check=True)
        spec = importlib.util.spec_from_file_location("apus_pb2", pathlib.Path(folder) / "apus_pb2.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

def main():
    parser = argparse.ArgumentParser()
    for flag, default in ("--endpoint", "tcp://127.0.0.1:5700"), ("--max-tokens", 64), ("--seed", 0), ("--model", ""):
        parser.add_argument(flag, default=default, type=type(default))
    parser.add_argument("--priority", default=0, type=int, help="0 normal, 1 high, 2 low")
    parser.add_argument("prompt")
    options = parser.parse_args()
    pb = load_schema()
    socket = zmq.Context().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(options.endpoint)
    def send(**body):
        socket.send(VERSION + pb.Envelope(**body).SerializeToString())

    request = pb.Request(model=options.model, prompt=options.prompt, raw=True, max_tokens=options.max_tokens)
    request.priority, request.sampling.seed = options.priority, options.seed
    send(submit=pb.Submit(request=1, key=str(uuid.uuid4()), generation=request, credit=WINDOW))
    following, granted = 0, WINDOW
    while socket.poll(30_000):
        envelope = pb.Envelope.FromString(socket.recv()[1:])
        kind = envelope.WhichOneof("body")
        body = getattr(envelope, kind) if kind else None
        if kind in ("rejected", "error"):
            sys.exit(f"{body.code}: {body.message}")
        elif kind == "tokens":
            columns = body.columns
            for first, count in zip(columns.first_indexes, columns.counts):
                assert first == following, "a token is missing or came twice"
                following += count
            print(columns.text.decode(), end="", flush=True)
            if granted - following < WINDOW // 2:
                granted = following + WINDOW
                send(credit=pb.Credit(streams=[columns.streams[0]], limits=[granted]))
        elif kind == "finished":
            print(f"\n{body.reason}: {body.usage.completion_tokens} tokens, {body.continuity}", file=sys.stderr)
            sys.exit(0 if body.reason in ("stop", "length") else 1)
    sys.exit("no answer for 30 s")

if __name__ == "__main__":
    main()
