"""What a webhook's settings may say, and what is refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.alerts.destination import Unusable, all_destinations
from pipelines.alerts.destinations.webhook import DESTINATION, WebhookSettings
from pipelines.alerts.receiver import Receiver
from tests.pipelines.alerts.webhooks import OTHER, Siem, send


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "http://siem.example/hook",
            "http://10.0.0.1/hook",
            "http://localhost.siem.example/",
            "ftp://siem.example/",
            "file:///etc/passwd",
            "siem.example/hook",
            "https://",
            "https://user:pass@siem.example/",
            "https://siem.example/#fragment",
            "https://169.254.169.254/latest/",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://0.0.0.0/",
            "http://[::1",
            "https://siem.example:99999999/",
        ],
    )
    def test_urls_that_are_refused(self, siem: Siem, url: str) -> None:
        with pytest.raises(ValidationError, match="url"):
            siem(url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://siem.example:8443/hook?channel=1",
            "http://127.0.0.1:8080/",
            "http://127.8.8.8/",
            "http://[::1]:80/",
            "http://localhost/",
            "https://10.0.0.5/hook",
        ],
    )
    def test_urls_that_are_taken(self, siem: Siem, url: str) -> None:
        assert siem(url).url == url

    def test_an_inline_secret_is_refused_and_not_repeated(self, siem: Siem, secret: str) -> None:
        for inline in (secret, "hunter2", "env:", "https:x"):
            with pytest.raises(ValidationError) as caught:
                siem("https://siem.example/", secret=inline)
            (found,) = caught.value.errors(include_input=False)
            assert "env:NAME or file:PATH" in found["msg"]
            assert inline not in found["msg"].replace("env:NAME", "")

    def test_unknown_keys_are_refused(self, siem: Siem) -> None:
        with pytest.raises(ValidationError, match="secrets"):
            siem("https://siem.example/", secrets="env:X")
        with pytest.raises(ValidationError, match="min_severity"):
            siem("https://siem.example/", min_severity="severe")

    def test_the_least_severity_is_medium_unless_set(self, siem: Siem) -> None:
        assert siem("https://siem.example/").min_severity == "medium"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
            "whsec_!!!!",
            "whsec_" + base64.b64encode(bytes(65)).decode(),
            f"{OTHER} {OTHER} {OTHER}",
        ],
    )
    def test_secrets_of_the_wrong_shape_are_told_without_being_shown(
        self, siem: Siem, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("TEST_WEBHOOK_SECRET", text)
        with pytest.raises(Unusable) as caught:
            send(siem("https://siem.example/"))
        assert "TEST_WEBHOOK_SECRET" in str(caught.value)
        assert not text.strip() or text.split(maxsplit=1)[0].removeprefix("whsec_") not in str(caught.value)

    def test_a_secret_in_a_file_relative_to_the_configuration(self, secret: str, tmp_path: Path) -> None:
        (tmp_path / "siem.secret").write_text(secret + "\n")
        with Receiver([secret]) as receiver:
            values = {"name": "siem", "type": "webhook", "url": receiver.url, "secret": "file:siem.secret"}
            settings = WebhookSettings.model_validate(values, context={"folder": tmp_path})
            assert send(settings).outcome == "delivered"
        missing = WebhookSettings.model_validate({**values, "secret": "file:nowhere"}, context={"folder": tmp_path})
        with pytest.raises(Unusable, match="nowhere cannot be read"):
            send(missing)

    def test_the_webhook_is_found(self) -> None:
        assert all_destinations()["webhook"] is DESTINATION
