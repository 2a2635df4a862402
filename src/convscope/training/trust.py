"""Whether the code that lies in a run may run.

To build a user's own network is to run its file, with all rights of whoever reads the run. So that
is done for those alone who trained the run on this machine, or say that they trust it. Who trains
it signs what ran: HMAC-SHA256(key, function and hash of the file), with a key that only they can
read. Neither a run of somebody else nor a file that was changed has a signature that fits.
"""

import hmac
import logging
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from convscope.data.caching.folder import cache_root
from convscope.errors import UserError
from convscope.models.spec import ModelSpec, UserNet
from convscope.run import SIGNATURE, SOURCE, Run

KEY_BYTES = 32

log = logging.getLogger(__name__)


def keep_source(run: Run, spec: ModelSpec) -> None:
    """Keep the file of a user's own network in its run, signed by who trains it.

    Raises:
        UserError: where the file is not the one that the network was described by.
        OSError: where the run cannot be written.
    """
    if isinstance(spec, UserNet):
        run.write(SOURCE, spec.source())
        sign(run, spec)


def sign(run: Run, spec: ModelSpec) -> None:
    """Say that this user has trained a run; a warning where that cannot be.

    Raises:
        OSError: where the run cannot be written.
    """
    if not isinstance(spec, UserNet):
        return
    try:
        run.write(SIGNATURE, _signature(_made_key(), spec))
    except UserError as error:
        log.warning("%s will be read with --trust-code alone: %s", run.name, error)


def trusted(run: Run, spec: ModelSpec, trust_code: bool) -> ModelSpec:
    """The network of a run as it may be built: a user's own one from the file in the run.

    Args:
        run: whose network.
        spec: as its settings have it.
        trust_code: whether the user trusts the code that lies in the run.

    Raises:
        UserError: saying what would be run, where nobody has allowed it.
    """
    if not isinstance(spec, UserNet):
        return spec
    is_kept = run.path(SOURCE).is_file()
    own = spec.at(run.path(SOURCE)) if is_kept else spec
    if trust_code or _is_signed(run, spec):
        return own
    where = "" if is_kept else ", where the run, made before runs kept their code, has it from,"
    raise UserError(
        f"{run.folder} was not trained by you on this machine, and its network is code: "
        f"{own.function} of {own.path}{where} would be run with all your rights; read that file "
        "and give --trust-code (in Python trust_code=True) to allow it"
    )


def key_path() -> Path:
    """Of the user's key: beside the decoded clips, which several users may share."""
    return cache_root() / f"key-{os.getuid()}"


def _is_signed(run: Run, spec: UserNet) -> bool:
    try:
        path = run.path(SIGNATURE)
        if not path.is_file():  # a pipe would never end
            return False
        return hmac.compare_digest(path.read_text(encoding="ascii"), _signature(_key(), spec))
    except (OSError, ValueError, UserError):
        return False


def _signature(key: bytes, spec: UserNet) -> str:
    return hmac.new(key, f"{spec.function} {spec.digest}".encode(), "sha256").hexdigest()


def _made_key() -> bytes:
    """The user's key, made where there is none.

    Raises:
        UserError: where that is not possible, or others can read it.
    """
    path = key_path()
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _put_if_absent(path, secrets.token_bytes(KEY_BYTES))
        return _key()
    except OSError as error:
        raise UserError(f"{path} cannot be used ({error.strerror})") from None


def _put_if_absent(path: Path, content: bytes) -> None:
    """Of several processes at once one puts the file there, whole; it is only the user's."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)


def _key() -> bytes:
    """The key that is there, where nobody but the user can have read or put it."""
    path = key_path()
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        facts = os.fstat(file.fileno())
        is_ours = facts.st_uid == os.getuid() and stat.S_IMODE(facts.st_mode) & 0o077 == 0
        key = file.read(KEY_BYTES + 1) if is_ours else b""
    if len(key) != KEY_BYTES:
        raise UserError(
            f"{path} is no key: expected {KEY_BYTES} bytes of yours that nobody else can read "
            "(mode 600); delete it, and another is made"
        )
    return key
