// The part of expat that holdfast uses: one document, read from beginning to end.
#pragma once

#include <stdbool.h>
#include <stddef.h>

/// Called with the name of an element that begins.
/// - Returns: false to end the parsing.
typedef bool (*holdfast_xml_begin)(void *context, const char *name);
/// Called with the name of an element that ends.
typedef void (*holdfast_xml_end)(void *context, const char *name);
/// Called with a part of the text between two tags.
typedef void (*holdfast_xml_text)(void *context, const char *bytes, int count);

/// Loads libexpat.so.1. It is not linked, so that runs that read no XML do not need it.
/// - Returns: false if it is not installed.
bool holdfast_expat_load(void);

/// Returns the version of the loaded library, such as `2.5.0`; null if it is not installed.
const char *holdfast_expat_version(void);

/// Parses a document. A document type is refused, because only that can define entities. The library must be loaded.
/// - Returns: false if it is not well-formed, or the parsing was ended.
bool holdfast_xml_parse(
    const void *bytes, size_t count, void *context, holdfast_xml_begin begin, holdfast_xml_end end,
    holdfast_xml_text text);
