"""An S3 server for the tests of files."""

from tests.campaign.files.s3_bucket import store  # noqa: F401 - a fixture
