#pragma once

// See environment.c: this target is linked for what it does when the tests start, and offers nothing to call.
