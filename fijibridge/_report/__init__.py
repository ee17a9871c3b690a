"""What all reports share: the page's frame and style, planes with scale bars, versions."""
