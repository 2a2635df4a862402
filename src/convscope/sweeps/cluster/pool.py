"""The slots of a Ray cluster: an agent on each node trains there, and Ray carries the messages.

Nodes need no file system in common: what is kept of a run goes to its node and comes back after
each epoch, and this process alone writes run folders.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from convscope.errors import RunFailed, UserError
from convscope.models.spec import make_spec
from convscope.run import Run
from convscope.sweeps.cluster.agent import Agent, AgentOrder, Answer, Begin, End, Room, Share
from convscope.sweeps.cluster.head_node import Head, Node, connect
from convscope.sweeps.cluster.transfer import Away, kept
from convscope.sweeps.driving.folder import WORKERS_LOG, SweepFolder
from convscope.sweeps.driving.messages import Ended, Event, Slot, Task
from convscope.sweeps.driving.monitor import Reading
from convscope.sweeps.planning.config import SweepConfig
from convscope.sweeps.planning.plan import PlannedCell
from convscope.training.attempt import Held
from convscope.version import __version__

SECONDS_TO_JOIN = 20.0
"""So long the first nodes wait for others before the threads of a worker are fixed."""
SECONDS_TO_RETRY = 30.0
"""A node whose agent was lost gets another after that: by then Ray knows whether it is dead."""
SECONDS_TO_CLOSE = 15.0


@dataclass
class _Member:
    """A node and its agent. It always has one call to answer, but for a moment.

    Attributes:
        node: as the head knows it.
        host: its name in its slots: that of the machine, and more where several nodes are on it.
        agent: Ray's handle of the actor.
        call: that is not answered yet.
        since: when the agent was asked for.
        room: None until the agent is there.
        reading: the latest.
        orders: that go with the next call.
    """

    node: Node
    host: str
    agent: Any
    call: Any
    since: float
    is_late: bool = False
    room: Room | None = None
    reading: Reading | None = None
    orders: list[AgentOrder] = field(default_factory=list)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return self.room.slots if self.room else ()


class RayPool:
    """The slots of all nodes of a Ray cluster, of those that join later too.

    An agent takes all that Ray may give away of its node; where other work of the cluster has some
    of it, the agent waits for that. A node that dies loses its attempts, and nothing else.

    Args:
        address: of the head, HOST:PORT; auto: the cluster that this machine belongs to.
        planned: the cells of the sweep.
        config: how they are trained.
        folder: the sweep's.
        log: is told what happens to nodes.

    Raises:
        UserError: where no cluster answers, or no node of it can train.
    """

    def __init__(
        self,
        address: str,
        planned: Iterable[PlannedCell],
        config: SweepConfig,
        folder: SweepFolder,
        log: Callable[[str], None],
    ) -> None:
        self._cells = cells = list(planned)
        self._config = config
        self._address = address
        self._log = log
        self._workers_log: Path = folder.path / WORKERS_LOG
        self._members: dict[str, _Member] = {}
        self._away: dict[Slot, Away] = {}
        self._events: list[Event] = []
        self._left_out: dict[str, str] = {}
        self._retry: dict[str, float] = {}
        self._waits = False
        self._ray = connect(address)
        self._head = Head(self._ray, address)
        try:
            self._actor = self._ray.remote(Agent)
            if any(cell.state in ("waiting", "running") for cell in cells):
                self._await_members(folder)
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Those of the nodes that are there now."""
        return tuple(slot for member in self._members.values() for slot in member.slots)

    @property
    def threads(self) -> int:
        """CPU threads of a worker: as many as every node has for each of its slots."""
        rooms = [member.room for member in self._members.values() if member.room]
        return min((room.threads for room in rooms), default=1)

    def start(self, slot: Slot, tasks: Sequence[Task]) -> None:
        """Send a cell to a slot that is free, with what is kept of it. On a cluster it is alone.

        Raises:
            RunFailed: where its folder cannot be written.
        """
        [task] = tasks
        try:
            away = Away(Run(task.out / task.name), make_spec(task.config["model"]))
        except Held as error:
            self._events.append(Ended(slot, "held", str(error)))
            return
        self._away[slot] = away
        if away.run.is_done:
            self._events.append(self._over(Ended(slot, "done")))
        else:
            self._member(slot).orders.append(Begin(slot, task, kept(away.run)))

    def pause(self, slot: Slot, reason: str) -> None:
        """End the attempt in a slot after its next epoch."""
        self._member(slot).orders.append(End(slot, reason, at_once=False))

    def kill(self, slot: Slot, reason: str) -> None:
        """End the attempt in a slot at once."""
        self._member(slot).orders.append(End(slot, reason, at_once=True))

    def poll(self, timeout: float) -> list[Event]:
        """What came to pass, after about `timeout` seconds where it was nothing.

        Raises:
            RunFailed: where the cluster is lost, or a run folder cannot be written.
            UserError: where no node of it can train.
        """
        self._head.require()
        try:
            self._exchange(0 if self._events else timeout)
        except OSError as error:  # Ray's, where its node on this machine is gone
            raise self._head.lost(f"Ray says: {error}") from None
        events, self._events = self._events, []
        return events

    def reading(self, host: str) -> Reading | None:
        """The latest reading of a node; None while there is none."""
        return next((each.reading for each in self._members.values() if each.host == host), None)

    def close(self) -> None:
        """End all attempts and agents, and leave the cluster; what is trained keeps its epochs."""
        if not self._head.is_lost:
            self._close_agents()
            self._head.close()
            self._ray.shutdown()
        for away in self._away.values():
            away.release()
        self._away.clear()

    def _await_members(self, folder: SweepFolder) -> None:
        """Wait for the nodes that there are; for the first as long as it takes."""
        started = time.monotonic()
        while not self.slots or any(each.room is None for each in self._members.values()):
            if self.slots and time.monotonic() - started > SECONDS_TO_JOIN:
                return
            if folder.is_to_stop:
                raise UserError(f"the sweep {folder.name} was stopped before a node was there")
            self.poll(0.2)

    def _exchange(self, timeout: float) -> None:
        self._meet()
        for member in self._members.values():
            if member.call is None:
                member.call = member.agent.exchange.remote(member.orders, timeout)
                member.orders = []
        for member in self._answering(timeout):
            self._events += self._heard(member)

    def _meet(self) -> None:
        """Send an agent to each node that has none, and say so where none is there."""
        nodes = [node for node in self._head.nodes if node.id not in self._left_out]
        now = time.monotonic()
        for node in nodes:
            if node.id not in self._members and now > self._retry.get(node.id, 0):
                self._members[node.id] = self._invite(node)
        if not self._members:
            self._wait_for_nodes()
        self._waits = not self._members
        for member in self._members.values():
            if member.room is None and not member.is_late and now - member.since > SECONDS_TO_JOIN:
                member.is_late = True
                self._log(
                    f"{member.host} is not there yet: its agent waits for all that Ray gives away "
                    f"there ({_amount(member.node)}), which other work of the cluster may have"
                )

    def _wait_for_nodes(self) -> None:
        alive = {node.id for node in self._head.nodes}
        if alive and alive <= set(self._left_out):
            raise UserError(
                f"no node of the Ray cluster at {self._address} can train: "
                + "; ".join(dict.fromkeys(self._left_out[each] for each in alive))
            )
        if not self._waits:
            self._log(
                f"no node of the Ray cluster at {self._address} is there: the sweep waits for one "
                "(ray start --address=HOST:PORT)"
            )

    def _invite(self, node: Node) -> _Member:
        """Start an agent on a node, with all that Ray may give away there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        taken = {member.host for member in self._members.values()}
        host = f"{node.hostname}:{node.id[:6]}" if node.hostname in taken else node.hostname
        agent = self._actor.options(
            num_cpus=node.cpus,
            num_gpus=node.gpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        ).remote(__version__, Share(host, node.cpus, node.gpus))
        call = agent.open.remote(self._cells, self._config)
        return _Member(node, host, agent, call, time.monotonic())

    def _answering(self, timeout: float) -> list[_Member]:
        """The nodes that have answered, after at most `timeout` seconds where none has."""
        calls = {member.call: member for member in self._members.values()}
        if not calls:
            time.sleep(timeout)
            return []
        self._ray.wait(list(calls), timeout=timeout)
        ready, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        return [calls[call] for call in ready]

    def _heard(self, member: _Member) -> list[Event]:
        try:
            answer = self._ray.get(member.call)
        except self._ray.exceptions.RayError as error:
            return self._miss(member, error)
        member.call = None
        if isinstance(answer, Room):
            member.room = answer
            self._log(f"{member.host} is there, cells at once: {len(answer.slots)}")
            return []
        return self._take(member, answer)

    def _take(self, member: _Member, answer: Answer) -> list[Event]:
        """Keep the files before anybody hears of what they tell."""
        member.reading = answer.reading
        self._print(answer.printed)
        for slot, files in answer.files.items():
            self._away[slot].keep(files)
        for event in answer.events:
            if isinstance(event, Ended) and self._is_fault_of(member, event):
                return self._leave_out(member, f"{member.host}: {event.reason}")
        return [self._over(e) if isinstance(e, Ended) else e for e in answer.events]

    def _is_fault_of(self, member: _Member, ended: Ended) -> bool:
        """Whether the cell had better be trained on another node, and this one left alone.

        Data that are missing are the cell's own trouble where there is no other node.
        """
        others = [each for each in self._members.values() if each.slots and each is not member]
        return ended.how == "disk" or (ended.how == "no data" and bool(others))

    def _over(self, ended: Ended) -> Ended:
        self._away.pop(ended.slot).release()
        return ended

    def _miss(self, member: _Member, error: Exception) -> list[Event]:
        """A call that was not answered: by an error of the agent's own, or as the node is dead."""
        text = str(error).strip()
        reason = text.rpartition("\n")[2].strip()
        if "No module named 'convscope" in reason:
            return self._leave_out(
                member,
                f"convscope cannot be imported on {member.host} ({reason}): install the same "
                "version on every node, with pip install 'convscope[cluster]'",
            )
        of_its_own = isinstance(error, self._ray.exceptions.RayTaskError)
        if of_its_own or "creation task" in text:
            reason = reason.partition(": ")[2] or reason  # without the name of the exception
            return self._leave_out(member, f"{member.host}: {reason}")
        self._retry[member.node.id] = time.monotonic() + SECONDS_TO_RETRY
        self._log(f"{member.host} does not answer any more")
        return self._drop(member)

    def _leave_out(self, member: _Member, reason: str) -> list[Event]:
        self._left_out[member.node.id] = reason
        self._log(f"a node is left out: {reason}")
        return self._drop(member)

    def _drop(self, member: _Member) -> list[Event]:
        """Go on without a node; its cells are trained elsewhere, or there when it is back."""
        del self._members[member.node.id]
        # In the background: where the head is silent this takes long.
        Thread(target=self._ray.kill, args=(member.agent,), daemon=True).start()
        lost = [slot for slot in member.slots if slot in self._away]
        return [self._over(Ended(slot, "lost", f"{member.host} was lost")) for slot in lost]

    def _member(self, slot: Slot) -> _Member:
        return next(each for each in self._members.values() if each.host == slot.host)

    def _print(self, printed: bytes) -> None:
        if printed:
            with suppress(OSError), self._workers_log.open("ab") as file:
                file.write(printed)

    def _close_agents(self) -> None:
        """Keep what the agents still have to say, and end them."""
        members = list(self._members.values())
        calls = [
            (member, call)
            for member in members
            for call in (member.call, member.agent.close.remote())
            if member.room is not None and call is not None
        ]
        if calls:
            refs = [call for _, call in calls]
            self._ray.wait(refs, num_returns=len(refs), timeout=SECONDS_TO_CLOSE)
        for member, call in calls:
            with suppress(self._ray.exceptions.RayError, RunFailed):
                self._take(member, self._ray.get(call, timeout=0))
        for member in members:
            self._ray.kill(member.agent)
        self._members.clear()


def _amount(node: Node) -> str:
    return f"CPUs: {node.cpus}" + (f", GPUs: {node.gpus}" if node.gpus else "")
