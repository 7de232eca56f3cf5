"""An S3 server for the tests of pictures."""

from tests.campaign.files.s3_bucket import store  # noqa: F401 - a fixture
