-- Webhooks: what was sent, what became of it, and what was seen before.

-- Whether the program may answer its caller; read from it when it is set. Then callers wait.
alter table pipelines add column webhook_responds integer not null default 0
  check (webhook_responds in (0, 1));
-- The only provider whose webhooks it takes; empty: any.
alter table pipelines add column webhook_provider text not null default '';

create table webhook_deliveries (
  -- order of arrival: deferred ones are admitted by it
  seq integer primary key autoincrement,
  id text not null unique,
  pipeline_id text not null references pipelines (id) on delete cascade,
  provider text not null,
  event_type text not null,
  -- JSON: the request as it may be shown, without its body
  event text not null,
  body_bytes integer not null,
  -- deferred → accepted; all others are final
  outcome text not null check (outcome in ('accepted', 'deferred', 'duplicate', 'refused')),
  -- why it was refused: an error code
  reason text not null default '',
  -- the run that it started; gone when that is deleted
  run_id text,
  -- the delivery that it repeats: of a duplicate and of one that somebody sent again
  first_id text,
  request_id text not null default '',
  received_at integer not null,
  -- until when its sender waits for an answer of the pipeline; null: it does not
  respond_by integer,
  -- JSON: that answer
  response text
) strict;

create index webhook_deliveries_by_pipeline on webhook_deliveries (pipeline_id, seq desc);
create index webhook_deliveries_deferred on webhook_deliveries (seq) where outcome = 'deferred';
create index webhook_deliveries_refused on webhook_deliveries (pipeline_id, seq) where outcome = 'refused';
create index webhook_deliveries_by_run on webhook_deliveries (run_id) where run_id is not null;
create index webhook_deliveries_by_age on webhook_deliveries (received_at);

-- Of deliveries that were taken, or could be later: apart, for they are large and their rows change.
create table webhook_bodies (
  delivery_id text primary key references webhook_deliveries (id) on delete cascade,
  bytes blob not null
) strict;

create table webhook_dedups (
  id integer primary key,
  pipeline_id text not null references pipelines (id) on delete cascade,
  -- what the key is one of: ids of deliveries, or what pipelines ask for
  scope text not null check (scope in ('delivery', 'pipeline')),
  -- the first 16 bytes of its SHA-256
  key_hash blob not null,
  -- what came with it first: a delivery, or a run that asked
  owner_id text not null,
  created_at integer not null,
  unique (pipeline_id, scope, key_hash)
) strict;

create index webhook_dedups_by_age on webhook_dedups (created_at);
