"""Makes reports of shops that are well, in trouble and empty, and looks at them with Chromium. `Scripts/test-page`
runs it."""
