# SPDX-License-Identifier: MIT
"""Service calls that never block: sent once, timed out, and counted when they fail."""

import time
from functools import partial
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from whispersign_ros.commands.source_map import Place, SourceMap
from whispersign_ros.node.diagnostics import Diagnostics

ANSWER_TIMEOUT = 10.0  # seconds to wait for the answer to a call
GRACE = 5.0  # seconds after the start until a missing service is worth a warning


class ServiceCalls:
    """The clients of a commands file and their unanswered calls.

    Args:
        node: owns the clients.
        source_map: locates the services in the commands file.
        diagnostics: counts ``calls`` (not sent), ``calls_unanswered`` and ``calls_refused``.
    """

    def __init__(self, node: Node, source_map: SourceMap, diagnostics: Diagnostics) -> None:
        self._node = node
        self._source_map = source_map
        self._diagnostics = diagnostics
        self._start = time.monotonic()
        self._clients: dict[str, Client] = {}
        self._names: dict[str, str] = {}  # in the commands file, by full name
        self._services: dict[str, tuple[Place, str]] = {}  # place and type of each service
        self._unanswered: dict[Future, tuple[Client, float]] = {}
        self._warnings: list[str] = []
        self._faults: list[str] = []

    def client(self, kind: Any, name: str, type_name: str, place: Place) -> Client:
        """Return the client of a service; actions share it.

        Raises:
            NameValidationException: the name is invalid.
            ValueError: the service already has another type or name in the commands file.
        """
        full = self._node.resolve_service_name(name)
        _, known = self._services.setdefault(full, (place, type_name))
        other = self._names.setdefault(full, name)
        if other != name:
            raise ValueError(f"'{full}' is also named '{other}' in this file; write one name")
        if known != type_name:
            raise ValueError(f"'{full}' has type {known} elsewhere in this file")
        if full not in self._clients:
            self._clients[full] = self._node.create_client(kind, name)
        return self._clients[full]

    def send(self, client: Client, request: Any) -> None:
        """Call a service without waiting; a missing one is counted."""
        if not client.service_is_ready():
            self._diagnostics.dropped("calls", f"no server of {client.srv_name}")
            return
        answer = client.call_async(request)
        self._unanswered[answer] = client, time.monotonic()
        answer.add_done_callback(partial(self._on_answer, client.srv_name))

    def tick(self) -> None:
        """Give up calls that time out, and look for missing services."""
        self._give_up()
        late = time.monotonic() - self._start >= GRACE
        self._warnings, self._faults = [], []
        types = dict(self._node.get_service_names_and_types()) if self._clients else {}
        for name, client in self._clients.items():
            place, type_name = self._services[name]
            others = sorted(set(types.get(name, ())) - {type_name})
            if others:
                fault = f"{name} has type {', '.join(others)}, not {type_name}"
                remedy = "change 'type' in the commands file"
                error = self._source_map.fault((*place, "type"), fault, remedy)
                self._faults.append(str(error))
            elif late and not client.service_is_ready():
                fault = f"no node serves {name}"
                remedy = "start its node, or change the name"
                error = self._source_map.fault((*place, "service"), fault, remedy)
                self._warnings.append(str(error))

    def warnings(self) -> list[str]:
        """Return a sentence for each service that was missing at the last tick."""
        return list(self._warnings)

    def faults(self) -> list[str]:
        """Return a sentence for each service that had another type at the last tick."""
        return list(self._faults)

    def _give_up(self) -> None:
        """Cancel calls that time out, because their server may have died."""
        for answer, (client, begin) in list(self._unanswered.items()):
            if time.monotonic() - begin >= ANSWER_TIMEOUT:
                self._unanswered.pop(answer, None)
                client.remove_pending_request(answer)
                fault = f"{client.srv_name} has not answered for {ANSWER_TIMEOUT:g} s"
                self._diagnostics.dropped("calls_unanswered", fault)

    def _on_answer(self, service: str, answer: Future) -> None:
        """Count a failure that a response reports, as Trigger and SetBool do."""
        self._unanswered.pop(answer, None)
        response = answer.result() if answer.exception() is None else None
        if not getattr(response, "success", response is not None):
            why = getattr(response, "message", "") or answer.exception() or "no reason given"
            self._diagnostics.dropped("calls_refused", f"{service}: {why}")
