/* Swift cannot call a variadic function: one typed door for each kind of value. */
#include <curl/curl.h>

static inline CURLcode ccurl_set_string(CURL *curl, CURLoption option, const char *value) {
    return curl_easy_setopt(curl, option, value);
}
