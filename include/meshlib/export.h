#ifndef MESHLIB_EXPORT_H_
#define MESHLIB_EXPORT_H_

// Marks what an application may use when meshlib is built as a shared
// library; everything else is hidden.
#if defined(__GNUC__)
#define MESHLIB_EXPORT __attribute__((visibility("default")))
#else
#define MESHLIB_EXPORT
#endif

#endif  // MESHLIB_EXPORT_H_
