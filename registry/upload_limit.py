"""Counts the bytes of a multipart body as they come: the stated length is not believed."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

from registry.errors import ArtifactTooLarge, SampleTooLarge

# What the form's other fields and the multipart frame may take beside the file.
FORM_BYTES = 1 << 20


class UploadLimit(FileUploadHandler):
    """Refuses a body that says it is too long before reading, and a file once it is.

    `limit` is for all files but `sample`, which has its own.
    """

    def __init__(self, request: HttpRequest, limit: int, *, sample: int) -> None:
        super().__init__(request)
        self.limit = limit
        self.sample_limit = sample
        self.received = self.received_sample = 0

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],  # noqa: N803 (Django's name)
        content_length: int,
        boundary: bytes,
        encoding: str | None = None,
    ) -> None:
        if content_length > self.limit + self.sample_limit + FORM_BYTES:
            raise self._too_large(content_length)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if self.field_name == "sample":
            self.received_sample += len(raw_data)
            if self.received_sample > self.sample_limit:
                raise sample_too_large(self.received_sample, self.sample_limit)
            return raw_data
        self.received += len(raw_data)
        if self.received > self.limit:
            raise self._too_large(self.received)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None

    def _too_large(self, size: int) -> ArtifactTooLarge:
        return ArtifactTooLarge(
            f"The upload has at least {size:,} bytes; at most {self.limit:,} are accepted. Save "
            "the model with joblib.dump(model, path, compress=3), or ask the operator to raise "
            "MAX_ARTIFACT_BYTES."
        )


def sample_too_large(size: int, limit: int) -> SampleTooLarge:
    return SampleTooLarge(
        f"The sample has at least {size:,} bytes; at most {limit:,} are accepted. A few thousand "
        "rows are enough: no more than 5,000 are read."
    )
