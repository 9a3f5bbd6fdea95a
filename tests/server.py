"""Running `inkling serve` in a test, and talking to it."""
import http.client
import json
import re
import signal
import subprocess

from helper import PROGRAM, environment


class Server:
    """The program serving a model on a free port; use as a context manager."""

    def __init__(self, model, *options, env=None):
        self.process = subprocess.Popen([PROGRAM, "serve", str(model), "--port", "0", *map(str, options)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env or environment())
        line = self.process.stdout.readline().decode()
        found = re.search(r" on (http://(\S+):(\d+)/)", line)
        if not found:
            raise RuntimeError(f"inkling serve: {line}{self.process.stderr.read().decode()}")
        self.url, self.host, self.port = found[1], found[2].strip("[]"), int(found[3])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def stop(self, how=signal.SIGTERM):
        """Asks it to stop; its exit code and what it wrote on stderr."""
        self.process.send_signal(how)
        error = self.process.communicate(timeout=60)[1].decode()
        return self.process.returncode, error

    def connect(self, timeout=60):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, method, path, body=None, type=None, connection=None, **headers):
        """One request: its status, headers, and body, read as JSON where it is."""
        mine = connection or self.connect()
        if type:
            headers["Content-Type"] = type
        mine.request(method, path, body, headers)
        response = mine.getresponse()
        content = response.read()
        if not connection:
            mine.close()
        if response.headers.get("Content-Type") == "application/json" and content:
            content = json.loads(content)
        return response.status, response.headers, content
