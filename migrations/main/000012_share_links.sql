-- Links that show one run to whoever has them. Only a hash of the token is here: a copy of the database
-- opens nothing.
create table share_links (
  seq integer primary key autoincrement,
  -- names the link in lists; it opens nothing
  id text not null unique,
  -- SHA-256 of the token, which is random
  token_hash blob not null unique,
  run_id text not null references runs (id) on delete cascade,
  created_by text not null default '',
  created_at integer not null,
  expires_at integer not null
) strict;

create index share_links_by_run on share_links (run_id, seq);
create index share_links_by_expiry on share_links (expires_at);
