internal import CLinux
internal import Glibc
package import HoldfastModel

/// Extended attributes (xattr(7)), which include ACLs (`system.posix_acl_*`).
extension OpenFile {
  /// Returns all attributes, sorted by name; empty on a file system without attributes.
  package func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] {
    try ExtendedAttributes.read(fullPath) { list, size in
      flistxattr(descriptor, list, size)
    } get: { name, value, size in
      fgetxattr(descriptor, name, value, size)
    }
  }

  package func setExtendedAttribute(_ attribute: ExtendedAttribute) throws(SystemError) {
    _ = try perform(.attributes, "set an extended attribute of") { descriptor in
      Path(bytes: attribute.name).withCString { name in
        attribute.value.withUnsafeBytes { Int(fsetxattr(descriptor, name, $0.baseAddress, $0.count, 0)) }
      }
    }
  }

  package func removeExtendedAttribute(_ name: [UInt8]) throws(SystemError) {
    _ = try perform(.attributes, "remove an extended attribute of") { descriptor in
      Path(bytes: name).withCString { Int(fremovexattr(descriptor, $0)) }
    }
  }
}

extension FileSystem {
  /// Returns the attributes of an object that cannot be opened, such as a symbolic link. `path` must be absolute.
  package func extendedAttributes(of path: Path) throws(SystemError) -> [ExtendedAttribute] {
    try probe?.willPerform(.attributes, path)
    return try path.withCString { (text) throws(SystemError) in
      try ExtendedAttributes.read(path) { list, size in
        llistxattr(text, list, size)
      } get: { name, value, size in
        lgetxattr(text, name, value, size)
      }
    }
  }

  /// Returns the attributes of a name in a directory, for an object that cannot be opened for reading; for a symbolic
  /// link, its own.
  package func extendedAttributes(of name: Path, in directory: OpenFile) throws(SystemError) -> [ExtendedAttribute] {
    do throws(SystemError) {
      // This works for a directory of any path length.
      return try extendedAttributes(of: Path("/proc/self/fd/\(directory.descriptor)").appending(name.bytes))
    } catch {
      guard error.isNotFound, !Self.seesProcesses else {
        throw SystemError(error.action, directory.fullPath(of: name), code: error.code)
      }
      return try extendedAttributes(of: directory.fullPath(of: name))
    }
  }
}

enum ExtendedAttributes {
  /// Lists the names, then reads each attribute. An attribute that disappears in between is left out.
  static func read(
    _ path: Path,
    list: (UnsafeMutablePointer<CChar>?, Int) -> Int,
    get: (UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int) -> Int
  ) throws(SystemError) -> [ExtendedAttribute] {
    let length = list(nil, 0)
    // A file system without attributes returns ENOTSUP. ENOSYS comes from a filter of system calls, and says nothing
    // about the file.
    if length == 0 || (length < 0 && errno == ENOTSUP) { return [] }
    guard length > 0 else { throw .last("read the extended attributes of", path) }
    var names = [CChar](repeating: 0, count: length + 256)
    let listed = list(&names, names.count)
    guard listed >= 0 else { throw .last("read the extended attributes of", path) }
    var attributes: [ExtendedAttribute] = []
    for name in names[..<listed].split(separator: 0) {
      let name = Path(bytes: name.map { UInt8(bitPattern: $0) })
      let value = try name.withCString { (text) throws(SystemError) in try readValue(path, text, get) }
      if let value { attributes.append(ExtendedAttribute(name: name.bytes, value: value)) }
    }
    let total = attributes.reduce(0) { $0 + $1.name.count + $1.value.count }
    guard attributes.count <= Limits.extendedAttributesMax, total <= Limits.extendedAttributesBytesMax else {
      throw SystemError("keep the many extended attributes of", path, code: E2BIG)
    }
    return attributes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }

  private static func readValue(
    _ path: Path, _ name: UnsafePointer<CChar>, _ get: (UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int) -> Int
  ) throws(SystemError) -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: Limits.extendedAttributeBytesMax)
    let count = value.withUnsafeMutableBytes { get(name, $0.baseAddress, $0.count) }
    if count < 0, errno == ENODATA { return nil }
    guard count >= 0 else { throw .last("read an extended attribute of", path) }
    return Array(value.prefix(count))
  }
}
