"""What apt and dpkg complain of, in words that say what to do. Pure."""

from __future__ import annotations

from typing import Final

from purvey.resources.packages._words import Meanings

APT: Final[Meanings] = (
    (("Unable to locate package", "has no installation candidate"), "not_found", "A package is not known to apt",
     "Check the name, and that the repository which has it is declared, and comes before: opts=Options(after=[repository])."),
    (("was not found",), "not_found", "A version of a package is not known to apt",
     "See which there are, as the repository may have removed it:\n\n    apt-cache policy NAME"),
    (("Unable to acquire the dpkg frontend lock", "Could not get lock", "frontend lock was locked"), "timeout",
     "Another program works on the packages of a machine", "Run again when it has ended, or let `lock_timeout_s` be longer."),
    (("Held packages were changed",), "conflict", "A package is held at its version by somebody else",
     "Let it go there, or let the script hold it at the version that it names (`hold=True`):\n\n    apt-mark unhold NAME"),
    (("Packages need to be removed but remove is disabled",), "conflict", "An installation would remove other packages",
     "See which, and allow it with `replaces=True`:\n\n    apt-get --simulate install NAME"),
    (("dependency problems prevent removal",), "in_use", "A package is needed by others",
     "Remove those as well, or keep the package with Options(retain=True)."),
    (("NO_PUBKEY", "is not signed"), "denied", "A repository is not signed by a key that is trusted",
     "Give the repository its key: packages.AptRepository(…, signed_by=…)."),
    (("Failed to fetch", "does not have a Release file", "Some index files failed to download"), "failed",
     "A repository cannot be fetched", "See whether the machine reaches it, and names its suites as it does."),
    (("No space left on device", "don't have enough free space"), "quota_exceeded", "The machine has no room for a package",
     "Make room there, then run again."),
    (("subprocess returned error exit status",), "failed", "A package's own script failed",
     "Its words are above. Mend what it complains of, then run again: what is half installed is completed."),
)  # fmt: skip
"""Words of apt and dpkg, what they mean, and what to do."""
