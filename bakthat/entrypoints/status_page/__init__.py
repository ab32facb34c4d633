"""The page of `bakthat status --html`: one file without a script and without anything from elsewhere."""
