#include "CExpat.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

typedef struct XML_ParserStruct *XML_Parser;

// From expat.h. They belong to a stable ABI, so the build needs no header.
typedef void (*start_element)(void *, const char *, const char **);
typedef void (*end_element)(void *, const char *);
typedef void (*character_data)(void *, const char *, int);
typedef void (*start_doctype)(void *, const char *, const char *, const char *, int);

static struct {
    XML_Parser (*create)(const char *);
    void (*free)(XML_Parser);
    void (*set_user_data)(XML_Parser, void *);
    void (*set_elements)(XML_Parser, start_element, end_element);
    void (*set_text)(XML_Parser, character_data);
    void (*set_doctype)(XML_Parser, start_doctype);
    int (*parse)(XML_Parser, const char *, int, int);
    int (*stop)(XML_Parser, unsigned char);
    const char *(*version)(void);
} functions;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libexpat.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    const struct {
        void **place;
        const char *name;
    } wanted[] = {
        {(void **)&functions.create, "XML_ParserCreate"},
        {(void **)&functions.free, "XML_ParserFree"},
        {(void **)&functions.set_user_data, "XML_SetUserData"},
        {(void **)&functions.set_elements, "XML_SetElementHandler"},
        {(void **)&functions.set_text, "XML_SetCharacterDataHandler"},
        {(void **)&functions.set_doctype, "XML_SetStartDoctypeDeclHandler"},
        {(void **)&functions.parse, "XML_Parse"},
        {(void **)&functions.stop, "XML_StopParser"},
        {(void **)&functions.version, "XML_ExpatVersion"},
    };
    for (size_t index = 0; index < sizeof wanted / sizeof wanted[0]; index++) {
        void *symbol = dlsym(library, wanted[index].name);
        if (!symbol) return;
        *wanted[index].place = symbol;
    }
    is_loaded = true;
}

bool holdfast_expat_load(void) {
    pthread_once(&once, load);
    return is_loaded;
}

/// Returns `2.5.0` for expat's own text `expat_2.5.0`.
const char *holdfast_expat_version(void) {
    if (!holdfast_expat_load()) return NULL;
    const char *text = functions.version(), *line = strchr(text, '_');
    return line ? line + 1 : text;
}

struct document {
    XML_Parser parser;
    void *context;
    holdfast_xml_begin begin;
    holdfast_xml_end end;
    holdfast_xml_text text;
};

static void begin(void *document, const char *name, const char **attributes) {
    (void)attributes;
    struct document *it = document;
    if (!it->begin(it->context, name)) functions.stop(it->parser, 0);
}

static void end(void *document, const char *name) {
    struct document *it = document;
    it->end(it->context, name);
}

static void text(void *document, const char *bytes, int count) {
    struct document *it = document;
    it->text(it->context, bytes, count);
}

static void refuse(void *document, const char *name, const char *system, const char *public_id, int has_subset) {
    (void)name, (void)system, (void)public_id, (void)has_subset;
    struct document *it = document;
    functions.stop(it->parser, 0);
}

bool holdfast_xml_parse(
    const void *bytes, size_t count, void *context, holdfast_xml_begin on_begin, holdfast_xml_end on_end,
    holdfast_xml_text on_text) {
    if (count > INT_MAX) return false;
    XML_Parser parser = functions.create(NULL);
    if (!parser) return false;
    struct document document = {parser, context, on_begin, on_end, on_text};
    functions.set_user_data(parser, &document);
    functions.set_elements(parser, begin, end);
    functions.set_text(parser, text);
    functions.set_doctype(parser, refuse);
    bool is_sound = functions.parse(parser, bytes, (int)count, 1) == 1;
    functions.free(parser);
    return is_sound;
}
