# SPDX-License-Identifier: Apache-2.0
"""An example: a node that offers python.Greeter until it is told to stop (SIGINT, SIGTERM).

Run as: PYTHONPATH=FOLDER_OF_PB2:FOLDER_OF_THIS_PACKAGE python3 -m python_peer.greeter NAME STATE_FOLDER JOIN_FILE
"""
import asyncio
import signal
import sys

import greeter_pb2

from .node import Node

SERVICE = greeter_pb2.DESCRIPTOR.services_by_name["Greeter"]


class Greeter:
    """python.Greeter, one coroutine function for each method of greeter.proto."""

    async def Hello(self, request, _):
        return greeter_pb2.HelloReply(text=f"Hello, {request.name}!")

    async def Count(self, request, _):
        for value in range(1, request.to + 1):
            yield greeter_pb2.Number(value=value)

    async def Fail(self, request, _):
        raise RuntimeError(f"no greeting for {request.name}")


async def run(name, state, join_string):
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    node = Node(name, join_string, state)
    node.offer(SERVICE, Greeter())
    await node.start("tcp://127.0.0.1:*")
    print(f"{name} is ready", flush=True)
    await stop.wait()
    await node.stop()


if __name__ == "__main__":
    with open(sys.argv[3], encoding="utf-8") as file:
        asyncio.run(run(sys.argv[1], sys.argv[2], file.read()))
