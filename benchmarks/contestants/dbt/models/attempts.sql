{{ config(materialized='view') }}

{{ newest(ref('messages')) }}
