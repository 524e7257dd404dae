# SPDX-License-Identifier: Apache-2.0
"""A cobus node in Python, written from proto/docs/protocol.md and proto/cobus/v1. README.md says where to start."""
from .node import Node
from .wire import Code, CobusError

__all__ = ["Code", "CobusError", "Node"]
