"""Templates: words prepared and reviewed in peacetime, with gaps of a type for what only the hour knows. Pure.

A filled template is an ordinary text: it is checked, and needs its two signatures, like any other. The built-in ones are the files of
`app/templates`; reading them, and a team's own, lies in `app.bootstrap.templates`.
"""
