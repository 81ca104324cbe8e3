"""The options of an `s3://` location. What is left out comes from the standard AWS environment and files."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import ByteSize, Field, FilePath, SecretStr, model_validator

from cloudsync_core.backends.objectstore.options import ServerOptions

MIB = 1024 * 1024
LARGEST_REQUEST = 5 * 1024 * MIB
"""Bytes that one PutObject, UploadPart or UploadPartCopy takes
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""

DIRECTORY_BUCKET = "--x-s3"
"""How the name of a directory bucket ends
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-overview.html)."""


class S3Options(ServerOptions):
    """Options of an S3 location."""

    endpoint_examples: ClassVar = "http://127.0.0.1:9000 or https://s3.example.com"

    endpoint_url: str | None = Field(
        None,
        description="URL of an S3-compatible server, for instance `http://127.0.0.1:9000`. "
        "Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile, else Amazon S3.",
    )
    region: str | None = Field(
        None, description="Region of the bucket. Default: AWS_DEFAULT_REGION, the profile, else us-east-1."
    )
    access_key_id: str | None = Field(
        None,
        min_length=1,
        description="Access key. Default: AWS_ACCESS_KEY_ID, the profile, else the machine's own role.",
    )
    secret_access_key: SecretStr | None = Field(None, min_length=1, description="The secret of `access_key_id`.")
    session_token: SecretStr | None = Field(
        None, min_length=1, description="Session token of temporary credentials; goes with `access_key_id`."
    )
    profile: str | None = Field(
        None, min_length=1, description="Profile of the shared AWS configuration files. Default: AWS_PROFILE."
    )
    anonymous: bool = Field(False, description="Send unsigned requests, for public buckets.")
    path_style: bool | None = Field(
        None,
        description="Put the bucket into the path of the URL (true) or into the host name (false). "
        "Default: addressing_style of the profile, else the path for a server of `endpoint_url`, the host name for "
        "Amazon S3.",
    )
    verify_tls: bool = Field(True, description="Check the server's certificate.")
    ca_bundle: FilePath | None = Field(
        None, description="File of the certificate authorities to trust. Default: AWS_CA_BUNDLE, else the system's."
    )
    connect_timeout: float = Field(10, gt=0, description="Seconds to wait for a connection.")
    read_timeout: float = Field(60, gt=0, description="Seconds to wait for the next bytes of an answer.")
    conditional_writes: Literal["auto", "if-absent"] | bool = Field(
        "auto",
        description="Whether PutObject and CompleteMultipartUpload honour If-None-Match and If-Match (true), "
        "If-None-Match alone (if-absent), or neither (false). A server that ignores them overwrites, so say true only "
        "of one that is known to honour them. auto: true for Amazon S3, found out by trying PutObject for any other "
        "server.",
    )
    conditional_deletes: Literal["auto"] | bool = Field(
        "auto",
        description="Whether DeleteObject honours If-Match. A server that ignores it deletes, so say true only of one "
        "that is known to honour it. auto: true for Amazon S3, found out by trying for any other server.",
    )
    ordered_listing: bool = Field(
        True,
        description="Whether listings come in the order of the keys' bytes; false makes cloudsync sort them itself. "
        "Directory buckets (`…--x-s3`) never list in order, whatever this says.",
    )
    etag_is_md5: bool = Field(
        True,
        description="Whether an ETag of 32 hexadecimal digits is the MD5 of the content. Say false for servers whose "
        "ETags are opaque, and for buckets encrypted by SSE-KMS or SSE-C, where listings cannot tell. "
        "Directory buckets never have such ETags, whatever this says.",
    )
    multipart_threshold: ByteSize = Field(
        ByteSize(16 * MIB),
        ge=0,
        le=LARGEST_REQUEST,
        description="Objects larger than this are uploaded in parts. Bytes, or text such as `16MiB`.",
    )
    part_size: ByteSize = Field(
        ByteSize(8 * MIB),
        ge=1,
        le=LARGEST_REQUEST,
        description="Size of a part; Amazon S3 takes no less than 5MiB. Objects of 256MiB or more have parts of at "
        "least 16MiB, and those of more than 10,000 parts larger ones. Bytes, or text such as `8MiB`.",
    )

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together: give both or neither")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token needs access_key_id and secret_access_key")
        if self.anonymous and (self.access_key_id is not None or self.profile is not None):
            raise ValueError("anonymous excludes access_key_id and profile")
        if self.profile is not None and self.access_key_id is not None:
            raise ValueError("profile excludes access_key_id: it would be unclear whose credentials are used")
        return self

    def credentials(self) -> tuple[object, ...]:
        """Return what tells whose credentials are used; equal for two locations that use the same ones."""
        return self.access_key_id, self.secret_access_key, self.session_token, self.profile, self.anonymous
