"""The same browser as for reports, one for all of these tests."""

from tests.browser.conftest import browser as browser
