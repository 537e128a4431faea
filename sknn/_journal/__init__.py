"""A folder of finished fits, so that a search that was interrupted goes on where it stopped.

`journal` what a user opens; `_calls` what happens to the fits that scikit-learn hands out while one is open;
`_digest`, `_tables`, `_code` what a fit is known by; `_store` files.
"""

from .journal import Entry, Journal, journal

__all__ = ["Entry", "Journal", "journal"]
