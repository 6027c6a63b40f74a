"""Starts the llama-server program of upstream's llama.cpp (not a program of this repository) and talks to it."""

import contextlib
import json
import subprocess
import time
import urllib.request

ATTEMPTS, PAUSE = 100, 0.2  # a server that is loading can only be asked again and again


class Client:
    """The HTTP calls that are needed here; every method raises urllib.error.HTTPError when the server refuses."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def post(self, path, **body):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def tokenize(self, text):
        """Token ids of a text in which special tokens are parsed."""
        return self.post("/tokenize", content=text, add_special=True, parse_special=True)["tokens"]

    def template(self, messages):
        """The text that the chat template of the model makes of the messages."""
        return self.post("/apply-template", messages=messages)["prompt"]

    def complete(self, prompt, n_predict=400, temperature=0.0, **options):
        """The whole answer to a text or to token ids, greedy unless told otherwise."""
        body = dict(prompt=prompt, n_predict=n_predict, temperature=temperature, cache_prompt=False, return_tokens=True)
        return self.post("/completion", **body, **options)

    def chat(self, messages, **options):
        return self.complete(self.template(messages), **options)["content"]


@contextlib.contextmanager
def server(binary, model, port=8123):
    """A Client of a new server with one slot and two threads; it is stopped at the end of the block."""
    command = [binary, "-m", model, "--port", str(port), "-c", "1024", "-np", "1", "-t", "2", "--jinja"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(process, port)
        yield Client(port)
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(process, port):
    for _ in range(ATTEMPTS):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with code {process.returncode}: run it by hand to see why")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
            return
        time.sleep(PAUSE)
    raise TimeoutError(f"{process.args[0]} was not ready after {ATTEMPTS * PAUSE:.0f} seconds")
