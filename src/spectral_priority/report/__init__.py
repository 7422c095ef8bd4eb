"""The study's report: one page of HTML that stands alone, with no network and no script."""
