"""The page of `bakthat status --html`: one file that loads nothing. Its only script says when the page is old."""
