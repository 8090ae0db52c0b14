{#
  Text that was UTF-8 and was read as Latin-1, once or twice, put right: 'BjÃ¶rk' is 'Björk'. Good text is left alone:
  one reading is undone only if the whole text is what such a reading makes (each run of Latin-1 characters is one
  well-formed UTF-8 sequence), which 'Beyoncé' is not. ASCII, nearly everything, costs one look.

  `undo_latin1` works on percent-encoded text, where one character of mojibake is %C2%xx or %C3%xx: %C2%xx becomes %xx
  and %C3%xx becomes %(xx + 40 hex). '~' stands for a new '%' until the end, so that no step reads what another wrote.
#}
{% macro undo_latin1(text) -%}
case when regexp_like(url_encode({{ text }}), '^([^%]|%[0-7].|%C3%[89].%C2%..|%C3%A.%C2%..%C2%..|%C3%B[0-4]%C2%..%C2%..%C2%..)+$')
    then url_decode(replace(replace(replace(replace(replace(replace(url_encode({{ text }}),
        '%C2', ''), '%C3%8', '~C'), '%C3%9', '~D'), '%C3%A', '~E'), '%C3%B', '~F'), '~', '%'))
    else {{ text }} end
{%- endmacro %}

{% macro fix_mojibake(text) -%}
case when regexp_like({{ text }}, '[^ -~]') then {{ undo_latin1(undo_latin1(text)) }} else {{ text }} end
{%- endmacro %}
