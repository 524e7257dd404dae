# SPDX-License-Identifier: Apache-2.0
#
# What breaks connections: stands before a listener and carries TCP connections to it until it is told to cut them.
import socket
import threading


class Forwarder:
    """Carries TCP connections to a port; cuts all there are, or carries nothing more of them, when it is told to."""

    def __init__(self):
        self.port_behind = 0
        self.count = 0  # connections so far
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._held = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self):
        self._held.update(self._open)

    def cut(self):
        while self._open:
            end = self._open.pop()
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was faster

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port_behind))
            except OSError:
                near.close()
                continue
            self.count += 1
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source, target):
        with source:
            try:
                while data := source.recv(65536):
                    if source not in self._held:
                        target.sendall(data)
                target.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
