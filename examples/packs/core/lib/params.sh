# shellcheck shell=sh
# params NAME... : reads the parameters of an action from standard input into shell variables.
#
# For actions with `parameter_delivery: stdin` and `parameter_format: dotenv`: one NAME='value' a
# parameter, a quote within a value written '\'' as in any shell, and newlines as they are. The
# text is parsed, never evaluated; parameters that are not named are read over.
params() {
    while IFS= read -r params_rest || [ -n "$params_rest" ]; do
        params_name=${params_rest%%=*}
        params_rest=${params_rest#*=}
        params_value=
        case $params_rest in
        "'"*)
            params_rest=${params_rest#"'"}
            while :; do
                case $params_rest in
                *"'"*)
                    params_value=$params_value${params_rest%%"'"*}
                    params_rest=${params_rest#*"'"}
                    case $params_rest in
                    "\\''"*)
                        params_value="$params_value'"
                        params_rest=${params_rest#"\\''"}
                        ;;
                    *) break ;;
                    esac
                    ;;
                *)
                    params_value="$params_value$params_rest
"
                    IFS= read -r params_rest || break
                    ;;
                esac
            done
            ;;
        *) params_value=$params_rest ;;
        esac
        case " $* " in
        *" $params_name "*) eval "$params_name=\$params_value" ;;
        esac
    done
}
