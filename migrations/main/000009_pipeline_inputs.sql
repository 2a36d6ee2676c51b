-- What a pipeline's runs may be given: its `inputs` export as JSON, read when it was set.
alter table pipelines add column inputs text not null default '{}';
