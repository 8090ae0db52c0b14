select {{ dbt_utils.star(ref('north'), except=['region']) }}, region, coalesce(customs, false) as customs
from (
    {{ dbt_utils.union_relations(relations=[ref('north'), ref('south')], source_column_name=none) }}
) as both_regions
