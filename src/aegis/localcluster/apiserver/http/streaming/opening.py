"""From a request to a long connection: what is asked for, and whether there is anything to connect to."""

from __future__ import annotations

from aiohttp import web

from aegis.localcluster.api import PodStreams
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import Call
from aegis.localcluster.apiserver.http.logs import chosen_container
from aegis.localcluster.apiserver.http.streaming import port_forward, remote_command
from aegis.localcluster.apiserver.http.streaming.remote_command import Wanted
from aegis.localcluster.apiserver.refusals import BadRequest, NotFound, Unimplemented
from aegis.localcluster.apiserver.store import Stored

STREAMING = frozenset({"exec", "attach", "portforward"})


async def open_stream(request: web.Request, core: Core, call: Call) -> web.StreamResponse:
    """Answer a request for a streaming subresource of a pod, to the connection's end.

    Raises:
        NotFound: there is no such pod.
        BadRequest: it does not run, or the query makes no sense.
        ApiError: the program cannot be started, or the client asks for no upgrade that is known here.
        Unimplemented: the server runs without a kubelet.
    """
    pod = core.store.get("pods", call.place.key)
    if pod is None:
        raise NotFound(call.resource, call.place.name)
    streams = core.pod_streams()
    if streams is None:
        raise Unimplemented(f"{call.subresource} without a kubelet")
    if not (pod.get("spec") or {}).get("nodeName"):
        raise BadRequest(f"pod {call.name} does not have a host assigned")
    if call.subresource == "portforward":
        return await port_forward.serve(request, streams, pod["metadata"]["uid"])
    return await _command(request, call, pod, streams)


async def _command(request: web.Request, call: Call, pod: Stored, streams: PodStreams) -> web.StreamResponse:
    if call.subresource == "exec" and (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        raise BadRequest(f"cannot exec into a container in a completed pod; current phase is {pod['status']['phase']}")
    container = chosen_container(pod, call.query.get("container", ""))
    wanted = Wanted(
        stdin=call.flag("stdin"),
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr") and not call.flag("tty"),
        tty=call.flag("tty"),
    )
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    remote_command.check(request)
    if call.subresource == "attach":
        session = await streams.attach(pod, container, stdin=wanted.stdin)
    else:
        command = request.query.getall("command", [])
        if not command:
            raise BadRequest("you must specify at least one command for the container")
        session = await streams.execute(pod, container, command, stdin=wanted.stdin, tty=wanted.tty)
    try:
        return await remote_command.serve(request, session, wanted)
    finally:
        await session.close()
