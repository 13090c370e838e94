// What holdfast uses of libcurl: one HTTP request after another, with bounds.
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *method;
    const char *url;
    const char *user_agent;
    /// `Name: value`, ended by null.
    const char *const *headers;
    /// Null where there is none.
    const void *body;
    size_t body_length;
    long connect_milliseconds;
    /// For everything, the answer included.
    long milliseconds;
} holdfast_http_request;

typedef struct {
    /// 0, or why there is no answer: see holdfast_curl_reason.
    int failure;
    /// Of HTTP.
    long status;
    /// How much of the answer was kept.
    size_t length;
    /// Whether there was more.
    bool is_cut;
} holdfast_http_result;

/// Loads libcurl.so.4. It is not linked: who tells nobody needs none, and pays nothing for it at the start.
/// - Returns: false where it is not installed.
bool holdfast_curl_load(void);

/// The version of the library that was loaded, such as `7.88.1`; null where it is not installed.
const char *holdfast_curl_version(void);

/// What a failure means, in words that hold no address.
const char *holdfast_curl_reason(int failure);

/// Whether a failure may be gone a moment later: of the network or the server, not of what was asked.
bool holdfast_curl_is_passing(int failure);

/// Sends a request over http or https, and never over anything else, and follows no redirection. The library must be loaded.
/// - Parameters:
///   - response: takes the beginning of the answer.
///   - capacity: how much of it; the rest is not read.
///   - redirection: takes the address to which the answer leads; empty where there is none, or one that is too long.
holdfast_http_result holdfast_http_perform(
    const holdfast_http_request *request, void *response, size_t capacity, char *redirection,
    size_t redirection_capacity);
