{% test between(model, column_name, least, most=none) %}
SELECT {{ column_name }} FROM {{ model }}
WHERE {{ column_name }} < {{ least }} {% if most is not none %} OR {{ column_name }} > {{ most }} {% endif %}
{% endtest %}

{% test mostly_present(model, column_name, share) %}
SELECT COUNT({{ column_name }}) / COUNT(*) AS present FROM {{ model }}
HAVING COUNT({{ column_name }}) < {{ share }} * COUNT(*)
{% endtest %}

{% test unique_together(model, columns) %}
SELECT {{ columns | join(', ') }} FROM {{ model }}
GROUP BY {{ columns | join(', ') }}
HAVING COUNT(*) > 1
{% endtest %}

{% test never(model, condition) %}
SELECT * FROM {{ model }} WHERE {{ condition }}
{% endtest %}
