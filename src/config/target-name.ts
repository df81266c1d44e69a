/** What a target may be called: its name stands in URLs, in metrics' labels and in the environment. */
export const TARGET_NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'
export const TARGET_NAME_RULE =
  'a name of 1 to 64 letters, digits, dots, dashes or underscores that begins with a letter or a digit'
