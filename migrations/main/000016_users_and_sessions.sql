-- Who signs in through a provider, and where. What a provider said last about somebody counts until the
-- next sign-in, also for tokens.
create table users (
  id integer primary key,
  -- `github`, `gitlab` or `microsoftonline`, and the id that it gives people
  provider text not null,
  user_id text not null,
  -- empty unless the provider has verified it
  email text not null,
  name text not null,
  nick_name text not null,
  avatar_url text not null,
  -- JSON arrays of names or ids
  organizations text not null,
  groups text not null,
  -- JSON: the profile as it came
  raw_data text not null,
  created_at integer not null,
  updated_at integer not null,
  unique (provider, user_id)
) strict;

-- Only a hash of what a browser holds is here.
create table sessions (
  token_hash blob primary key,
  user integer not null references users (id) on delete cascade,
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;

create index sessions_by_user on sessions (user, created_at);
create index sessions_by_expiry on sessions (expires_at);
