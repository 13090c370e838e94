internal import CLinux
internal import Glibc
internal import HoldfastModel

/// The names in a directory, sorted by bytes, in one block of memory: a directory may have a million names.
package struct DirectoryListing: Sendable {
  private var bytes: [UInt8] = []
  private var ranges: [(start: UInt32, count: UInt16)] = []

  package var count: Int { ranges.count }

  package subscript(index: Int) -> ArraySlice<UInt8> {
    let range = ranges[index]
    return bytes[Int(range.start)..<Int(range.start) + Int(range.count)]
  }

  mutating func append(_ name: UnsafeRawBufferPointer) {
    ranges.append((UInt32(bytes.count), UInt16(name.count)))
    bytes.append(contentsOf: name)
  }

  mutating func sort() {
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      ranges.sort { left, right in
        let order = memcmp(
          base + Int(left.start), base + Int(right.start), Int(min(left.count, right.count)))
        return order == 0 ? left.count < right.count : order < 0
      }
    }
  }

  /// Returns true if the directory has an entry of exactly this name.
  package func contains(_ name: StaticString) -> Bool {
    contains(name.withUTF8Buffer { Array($0) })
  }

  /// Returns the same listing with one more name.
  package func inserting(_ name: [UInt8]) -> DirectoryListing {
    var copy = self
    name.withUnsafeBytes { copy.append($0) }
    copy.sort()
    return copy
  }

  /// Returns the same listing with the wanted names only.
  package func filtered(_ isWanted: (ArraySlice<UInt8>) -> Bool) -> DirectoryListing {
    var copy = self
    copy.ranges = (0..<count).filter { isWanted(self[$0]) }.map { ranges[$0] }
    return copy
  }

  package func contains(_ name: [UInt8]) -> Bool {
    // Binary search: the names are sorted.
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
    }
    return low < count && self[low].elementsEqual(name)
  }
}

extension OpenFile {
  /// Returns all names in this directory except `.` and `..`.
  package func listing() throws(SystemError) -> DirectoryListing {
    try probe?.willPerform(.list, path)
    let copy = holdfast_openat(descriptor, ".", O_RDONLY | holdfast_o_directory | O_CLOEXEC, 0)
    guard copy >= 0 else { throw .last("list", fullPath) }
    guard let stream = fdopendir(copy) else {
      _ = Glibc.close(copy)
      throw .last("list", fullPath)
    }
    defer { closedir(stream) }
    var listing = DirectoryListing()
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else { throw .last("list", fullPath) }
        break
      }
      let room = Int(entry.pointee.d_reclen)
      withUnsafeBytes(of: &entry.pointee.d_name) { field in
        // On some file systems a name may be longer than the field, which is the end of the entry.
        let count = field.baseAddress.map { strnlen($0.assumingMemoryBound(to: CChar.self), room) } ?? 0
        let name = UnsafeRawBufferPointer(start: field.baseAddress, count: count)
        if !name.elementsEqual([UInt8(ascii: ".")]), !name.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) {
          listing.append(name)
        }
      }
    }
    listing.sort()
    return listing
  }
}
