-- Lists leave out the pipelines whose rule keeps somebody out: they look at each rule once.
create index pipelines_by_rule on pipelines (rbac_expression) where rbac_expression <> '';
