"""The verbs: get, list and watch; create, update, patch and apply; delete and deletecollection; scale."""
