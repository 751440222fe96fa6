"""Keys and certificates on a real disk, under a clock that tests move: made once, renewed in time, given back by an undo."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store

from purvey._base.value import canonical
from purvey._script.recorder import recording
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Absent, Present
from purvey.resources import tls
from purvey.testing import PlainCall, view
from tests.unit.resources.life import (
    SetClock,
    bytes_at,
    changed,
    differences,
    everything_below,
    kind_of,
    made,
    only,
    provider,
    put,
    recorder,
    values,
)

DAY_S = 86_400.0


class Estate(NamedTuple):
    """A key and an authority, recorded, and what else is needed to go on."""

    folder: Path
    clock: SetClock
    ca_key: tls.PrivateKey
    ca: tls.CertificateAuthority
    key: tls.PrivateKey

    def call(self, *, undoes: str = "") -> PlainCall:
        """A new operation."""
        return PlainCall(self.folder / "state", clock=self.clock, undoes=undoes)

    def certificate(self, **values: Any) -> tls.Certificate:
        """A wish for a certificate."""
        given = {"ca": self.ca, "key": self.key, "names": ["shop.test", "127.0.0.1", "0:0::1"], "days": 90, "mode": "0644"}
        return view(tls.Certificate, path=str(self.folder / "srv" / "shop.pem"), **{"renew_before_days": 30, **given, **values})


@pytest.fixture
async def estate(tmp_path: Path) -> Estate:
    """An authority with its key, and a key for a server."""
    clock = SetClock()
    folder = tmp_path / "srv"
    folder.mkdir()

    def call() -> PlainCall:
        """A new operation."""
        return PlainCall(tmp_path / "state", clock=clock)

    ca_key = await made(call(), view(tls.PrivateKey, path=str(folder / "ca.key"), mode="0600", algorithm="ecdsa-p256"))
    wish = view(
        tls.CertificateAuthority,
        path=str(folder / "ca.pem"),
        key=ca_key,
        common_name="shop authority",
        days=3_650,
        renew_before_days=365,
        mode="0644",
    )
    ca = await made(call(), wish)
    key = await made(call(), view(tls.PrivateKey, path=str(folder / "shop.key"), mode="0600", algorithm="ecdsa-p256"))
    return Estate(tmp_path, clock, ca_key, ca, key)


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-3072", "ed25519"])
async def test_a_key_is_made_once_and_never_recorded(tmp_path: Path, algorithm: str) -> None:
    """A key of each algorithm is readable by its owner only, stays, is taken again after a crash, and is not in the record."""
    call = PlainCall(tmp_path / "state")
    want = view(tls.PrivateKey, path=str(tmp_path / "key.pem"), algorithm=algorithm, mode="0600")
    have = await made(call, want)
    first = (tmp_path / "key.pem").read_bytes()

    assert (await made(call, want)).fingerprint == have.fingerprint
    assert (tmp_path / "key.pem").read_bytes() == first
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert await differences(call, have) == []
    assert b"PRIVATE" not in canonical(values(have))
    assert have.public_key_pem.startswith("-----BEGIN PUBLIC KEY-----")
    assert len(have.fingerprint) == 64


async def test_a_changed_key_is_made_anew(tmp_path: Path) -> None:
    """Somebody else's key, a broken one and one of another algorithm are replaced; the undo gives back what stood there."""
    path = tmp_path / "key.pem"
    have = await made(PlainCall(tmp_path / "s"), view(tls.PrivateKey, path=str(path), algorithm="ed25519", mode="0600"))
    path.write_text("theirs")
    assert await differences(PlainCall(tmp_path / "s"), have) == ["fingerprint"]
    update = PlainCall(tmp_path / "s")

    after = await changed(update, have, have)

    assert after.fingerprint != have.fingerprint
    assert await differences(update, after) == []
    await provider(have).undo(PlainCall(tmp_path / "s", undoes=update.token), after, have)
    assert path.read_text() == "theirs"
    other = await changed(
        PlainCall(tmp_path / "s"), after, view(tls.PrivateKey, path=str(path), algorithm="ecdsa-p256", mode="0600")
    )
    assert await differences(PlainCall(tmp_path / "s"), other) == []


async def test_only_attributes_change_where_the_key_is_right(tmp_path: Path) -> None:
    """A loosened mode is drift; repairing it, and undoing that, keep the key."""
    path = tmp_path / "key.pem"
    call = PlainCall(tmp_path / "s")
    have = await made(call, view(tls.PrivateKey, path=str(path), algorithm="ed25519", mode="0600"))
    path.chmod(0o644)
    assert await differences(call, have) == ["mode"]

    after = await changed(call, have, have)
    assert after.fingerprint == have.fingerprint
    assert await differences(call, after) == []

    observed = view(tls.PrivateKey, **{**values(have), "mode": "0644"})
    await provider(have).undo(PlainCall(tmp_path / "s", undoes=call.token), after, observed)
    assert path.stat().st_mode & 0o777 == 0o644


async def test_a_lost_key_is_absent_and_a_deleted_one_gone(tmp_path: Path) -> None:
    """A key that is not there is absent; deleting and undoing a create leave nothing, not even purvey's own files."""
    call = PlainCall(tmp_path / "s")
    have = await made(call, view(tls.PrivateKey, path=str(tmp_path / "key.pem"), algorithm="ed25519", mode="0600"))
    (tmp_path / "key.pem").write_text("x")
    have = await changed(call, have, have)

    await provider(have).undo(call, have, None)

    assert isinstance(await provider(have).read(call, have), Absent)
    assert everything_below(tmp_path) == []


async def test_the_chain_verifies(estate: Estate) -> None:
    """An independent verifier accepts the certificate for each of its names, and for no other."""
    have = await made(estate.call(), estate.certificate())
    leaf, authority = x509.load_pem_x509_certificates(bytes_at(have.path))
    now = datetime.fromtimestamp(estate.clock.now(), UTC)
    trusting = PolicyBuilder().store(Store([authority]))
    policy = trusting.time(now + timedelta(days=1))

    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    names: list[x509.DNSName | x509.IPAddress] = [x509.DNSName("shop.test"), *addresses]
    for name in names:
        assert policy.build_server_verifier(name).verify(leaf, [])[0] == leaf
    with pytest.raises(x509.verification.VerificationError):
        policy.build_server_verifier(x509.DNSName("other.test")).verify(leaf, [])
    with pytest.raises(x509.verification.VerificationError):
        trusting.time(now + timedelta(days=91)).build_server_verifier(x509.DNSName("shop.test")).verify(leaf, [])
    assert authority.public_bytes(Encoding.PEM).decode() == estate.ca.certificate_pem


async def test_a_certificate_is_made_once(estate: Estate) -> None:
    """A certificate that serves is left alone by a repeated create, by a look and by an update that changes its mode."""
    want = estate.certificate()
    have = await made(estate.call(), want)
    assert await differences(estate.call(), have) == []

    assert (await made(estate.call(), want)).serial == have.serial
    assert (await changed(estate.call(), have, estate.certificate(mode="0640"))).serial == have.serial


async def test_the_renewal_window_is_drift(estate: Estate) -> None:
    """A certificate is left alone until its window begins; from then on it is due, and an update renews it."""
    have = await made(estate.call(), estate.certificate())
    authority = await differences(estate.call(), estate.ca)
    estate.clock.seconds += 60 * DAY_S - 1
    assert await differences(estate.call(), have) == authority == []
    estate.clock.seconds += 1
    assert await differences(estate.call(), have) == ["due"]

    after = await changed(estate.call(), have, have)

    assert after.serial != have.serial
    assert after.not_after > have.not_after
    assert await differences(estate.call(), after) == []


async def test_an_authority_is_renewed_with_its_key(estate: Estate) -> None:
    """A year before its end the authority is issued again for the same key, and what it signed follows."""
    have = await made(estate.call(), estate.certificate())
    estate.clock.seconds += 3_285 * DAY_S
    assert await differences(estate.call(), estate.ca) == ["due"]

    ca = await changed(estate.call(), estate.ca, estate.ca)
    after = await changed(estate.call(), have, estate.certificate(ca=ca))

    assert ca.fingerprint != estate.ca.fingerprint
    leaf, authority = x509.load_pem_x509_certificates(bytes_at(have.path))
    leaf.verify_directly_issued_by(authority)
    assert after.certificate_pem.endswith(ca.certificate_pem)


@pytest.mark.parametrize("change", ["names", "days", "key", "ca"])
async def test_what_a_certificate_says_is_changed_in_place(estate: Estate, change: str) -> None:
    """Other names, another length, another key or another authority issue it again; the undo restores the former file."""
    have = await made(estate.call(), estate.certificate())
    former = bytes_at(have.path)
    call = estate.call()
    key = await changed(call, estate.key, view(tls.PrivateKey, path=estate.key.path, algorithm="ed25519", mode="0600"))
    ca = await changed(
        estate.call(), estate.ca, view(tls.CertificateAuthority, **{**values(estate.ca), "common_name": "other"})
    )
    new = {"names": ["new.test"], "days": 45, "key": key, "ca": ca}[change]
    update = estate.call()

    after = await changed(update, have, estate.certificate(**{change: new}))

    assert after.fingerprint != have.fingerprint
    assert await differences(update, after) == []
    await provider(have).undo(estate.call(undoes=update.token), after, have)
    assert bytes_at(have.path) == former


@pytest.mark.parametrize("text", ["", "theirs", None], ids=["empty", "not a certificate", "another chain"])
async def test_an_edited_certificate_is_drift(estate: Estate, text: str | None) -> None:
    """A file that is not what was written is seen and issued again."""
    have = await made(estate.call(), estate.certificate())
    put(have.path, have.certificate_pem + have.certificate_pem if text is None else text)
    assert await differences(estate.call(), have) == ["digest"]

    after = await changed(estate.call(), have, have)

    assert bytes_at(have.path).decode() == after.certificate_pem
    assert after.certificate_pem.count("BEGIN CERTIFICATE") == 2


async def test_a_forged_certificate_does_not_serve(estate: Estate, tmp_path: Path) -> None:
    """A certificate for the same names and key that another authority signed is replaced."""
    key = await made(PlainCall(tmp_path / "f"), view(tls.PrivateKey, path=str(tmp_path / "f.key"), mode="0600"))
    wish = {**values(estate.ca), "key": key, "path": str(tmp_path / "f.pem")}
    forger = await made(PlainCall(tmp_path / "f", clock=estate.clock), view(tls.CertificateAuthority, **wish))
    forged = await made(estate.call(), estate.certificate(ca=forger))
    leaf = forged.certificate_pem.removesuffix(forger.certificate_pem)
    put(forged.path, leaf + estate.ca.certificate_pem)

    have = await made(estate.call(), estate.certificate())

    assert have.serial != forged.serial


async def test_a_certificate_does_not_outlive_its_authority(estate: Estate) -> None:
    """A certificate that could outlive its authority is found before the first write, and never issued."""
    want = estate.certificate(days=400)

    assert "400 days" in (await provider(want).preflight(estate.call(), want))[0].problem
    with pytest.raises(ProviderError, match="outlive"):
        await provider(want).create(estate.call(), want)


async def test_a_key_that_cannot_sign_is_refused(estate: Estate) -> None:
    """An authority whose key file is broken issues nothing, and says what to do."""
    put(estate.ca_key.path, "broken")
    want = estate.certificate()

    with pytest.raises(ProviderError, match="cannot sign"):
        await provider(want).create(estate.call(), want)


async def test_deleting_leaves_nothing(estate: Estate) -> None:
    """When all is deleted no file remains, and deleting again is no error."""
    have = await made(estate.call(), estate.certificate())
    have = await changed(estate.call(), have, estate.certificate(names=["new.test"]))

    for node in (have, estate.key, estate.ca, estate.ca_key, have):
        await provider(node).delete(estate.call(), node)

    assert everything_below(estate.folder) == ["srv"]


async def test_what_exists_is_found(estate: Estate) -> None:
    """A key and a certificate that are there already are reported with every output, so that they can be adopted."""
    have = await made(estate.call(), estate.certificate())
    for node in (have, estate.ca, estate.key):
        found = await provider(node).find(estate.call(), node)
        assert isinstance(found, Present)
        assert all(found.values[name] == getattr(node, name) for name in kind_of(node).outputs)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_an_authority_has_a_name(tmp_path: Path, name: str) -> None:
    """A name that no certificate can hold is refused while the script runs."""
    with recording(recorder(tmp_path)), pytest.raises(ScriptError) as refused:
        tls.CertificateAuthority("ca", path="ca.pem", key=tls.PrivateKey("ca", path="ca.key"), common_name=name)

    assert refused.value.code == "script.bad_name"


def test_a_new_key_is_a_change_of_what_it_signed(tmp_path: Path) -> None:
    """Key and authority are inputs by their fingerprints too, so a new one is seen in the plan of what depends on it."""
    with recording(recorder(tmp_path)) as script:
        key = tls.PrivateKey("ca", path="ca.key")
        ca = tls.CertificateAuthority("ca", path="ca.pem", key=key, common_name="shop")
        tls.Certificate("web", path="web.pem", ca=ca, key=tls.PrivateKey("web", path="web.key"), names=["shop.test"])

    inputs = only(script, "tls.Certificate").inputs
    assert str(inputs["key_fingerprint"]) == "tls.PrivateKey::web.fingerprint"
    assert str(inputs["ca_fingerprint"]) == "tls.CertificateAuthority::ca.fingerprint"
    assert str(only(script, "tls.CertificateAuthority").inputs["key_fingerprint"]) == "tls.PrivateKey::ca.fingerprint"
    assert inputs["path"] == str(tmp_path / "web.pem")
    assert inputs["mode"] == "0644"


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"names": []}, "script.bad_names"),
        ({"names": ["https://shop.test"]}, "script.bad_names"),
        ({"names": ["bücher.test"]}, "script.bad_names"),
        ({"names": ["a.test"], "days": 30}, "script.bad_days"),
        ({"names": ["a.test"], "renew_before_days": -1}, "script.bad_days"),
        ({"names": ["a.test"], "key": "web.key"}, "script.bad_input"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, inputs: dict[str, Any], code: str) -> None:
    """Names that are none, windows that do not fit and keys that are no nodes are refused while the script runs."""
    with recording(recorder(tmp_path)):
        key = tls.PrivateKey("ca", path="ca.key")
        ca = tls.CertificateAuthority("ca", path="ca.pem", key=key, common_name="shop")
        with pytest.raises(ScriptError) as refused:
            tls.Certificate("web", path="web.pem", ca=ca, **{"key": key, **inputs})

    assert refused.value.code == code
