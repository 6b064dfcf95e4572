"""From a recorded tree and a persona to the image that all of an installation's machines share."""

from __future__ import annotations

from collections.abc import Mapping

from urltrap.machine.fs.image import Image
from urltrap.machine.image.cloudinit import apply_cloud_init
from urltrap.machine.image.debian import apply_system
from urltrap.machine.image.device import device_tree
from urltrap.machine.image.homes import apply_homes
from urltrap.machine.image.logs import apply_logs
from urltrap.machine.image.record import load_record
from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Kind, Persona
from urltrap.machine.programs._answers import load_answers
from urltrap.machine.programs.busybox.usages import load_usages
from urltrap.machine.programs.registry import load_all

RECORDS: Mapping[Kind, str] = {
    "debian-12": "debian-12.img.zst",
    "debian-13": "debian-13.img.zst",
    "cloud-small": "debian-12.img.zst",
    "busybox-mips": "busybox.img.zst",
    "busybox-arm": "busybox.img.zst",
}
"""Which file of ``urltrap/machine/data`` holds the recorded tree of a kind of persona."""
ANSWERS = "answers.json.zst"
"""The file beside them that holds what their programs say of themselves."""
PACKAGES: Mapping[Kind, str] = {"cloud-small": "cloud-init.img.zst"}
"""The file beside them that holds what a kind of persona has installed besides."""
USAGES = "busybox-usages.txt"
"""The file beside them that holds what BusyBox says of its applets."""


def load_image(
    blob: bytes,
    persona: Persona,
    host_keys: Mapping[str, bytes] | None = None,
    answers: bytes | None = None,
    usages: bytes | None = None,
    package: bytes | None = None,
) -> Image:
    """The image of this installation. `blob` is the file that `RECORDS` names for the persona's kind; `host_keys` are
    the sensor's own public key lines by algorithm ("ed25519", "ecdsa", "rsa"), as /etc/ssh shows them; `answers` the
    file of what programs say of themselves, `usages` that of what BusyBox says of its applets,
    `package` the file that `PACKAGES` names.

    RecordError (AnswersError) where the blob cannot be read; takes a fraction of a second, once per process.
    """
    image = persona_tree(blob, persona, host_keys or {}, package).freeze(
        installed=persona.installed,
        seed=bytes.fromhex(persona.fingerprint),
        programs=load_all(),
        static=not persona.is_server,
    )
    if answers is not None:
        image.answers = load_answers(answers, persona.kind)
    if usages is not None:
        image.usages = load_usages(usages)
    return image


def persona_tree(
    blob: bytes, persona: Persona, host_keys: Mapping[str, bytes], package: bytes | None = None
) -> Tree:
    """The tree before it becomes an image: the record with the persona's own files over it."""
    entries = load_record(blob)
    if not persona.is_server:
        return device_tree(entries, persona)
    tree = Tree(entries)
    apply_system(tree, persona, host_keys)
    apply_homes(tree, persona)
    apply_logs(tree, persona)
    if package is not None:
        apply_cloud_init(tree, persona, load_record(package))
    return tree
