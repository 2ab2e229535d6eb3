"""Rules that several kinds share: ObjectMeta, field checks, the paths of a scale."""
