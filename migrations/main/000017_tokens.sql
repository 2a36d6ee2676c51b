-- What programs show instead of a password: tokens that people make (`api`), and those of command lines
-- that have signed in (`login`), which are signed and name their row. A row that is gone ends its token.
create table tokens (
  seq integer primary key autoincrement,
  id text not null unique,
  kind text not null check (kind in ('api', 'login')),
  -- SHA-256 of a token of kind `api`, which is random
  token_hash blob unique,
  -- whose it is; null: that of the user of --basic-auth
  user integer references users (id) on delete cascade,
  basic_user text not null default '',
  name text not null,
  -- a JSON array of what it is good for; null: for everything that its owner may do
  scopes text,
  created_at integer not null,
  expires_at integer not null,
  last_used_at integer,
  check ((kind = 'api') = (token_hash is not null))
) strict;

create index tokens_by_owner on tokens (user, basic_user, seq);
create index tokens_by_expiry on tokens (expires_at);

-- Command lines that wait for somebody to let them in. Only hashes of what they hold are here.
create table device_logins (
  code_hash blob primary key,
  -- of a second secret that the command line alone knows; null: it offers none
  secret_hash blob,
  -- who has let it in
  user integer references users (id) on delete cascade,
  -- what asked, for whoever is to decide
  address text not null,
  user_agent text not null,
  expires_at integer not null
) strict, without rowid;

create index device_logins_by_expiry on device_logins (expires_at);
