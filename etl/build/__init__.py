"""Raw to flat tables and marts, validated and published."""
