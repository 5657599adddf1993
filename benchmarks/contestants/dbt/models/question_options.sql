{{ config(materialized='view') }}

{{ newest(ref('message_options')) }}
