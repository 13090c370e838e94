import HoldfastModel
import HoldfastTestSupport
import Testing

/// What root has configured for itself is no noise for other users of the machine.
@Suite struct OtherUsersTests {
  private let tool = SealedTool()

  /// Runs a script as root with an /etc of its own.
  private func withOwnEtc(_ script: String) -> ProcessResult? {
    guard Tool.isRoot else {
      print("skipped: only root can give a process an /etc of its own")
      return nil
    }
    TestFiles.write(
      """
      set -e
      mkdir over; mount -t tmpfs tmpfs over; chmod 755 over; mkdir over/upper over/work
      mount -t overlay overlay -o "lowerdir=/etc,upperdir=$PWD/over/upper,workdir=$PWD/over/work" /etc || exit 99
      rm -rf /etc/holdfast
      set +e
      \(script)
      """, to: tool.directory.appending("script"))
    TestFiles.setMode(tool.directory.path, 0o755)
    let result = tool.tool.other("unshare", "-m", "sh", "script")
    if result.exitStatus == 99 {
      print("skipped: there is no overlay file system here")
      return nil
    }
    return result
  }

  @Test func theKeyOfRootIsNoNewsForOthers() throws {
    let recipient = tool.generate("root")
    let result = withOwnEtc(
      """
      cp '\(Tool.binary.text)' holdfast
      HOLDFAST_STATE_DIR=$PWD/state ./holdfast init -r sealed --recipient \(recipient) --quiet || exit 1
      stat -c '%a %n' /etc/holdfast /etc/holdfast/writer.key
      mkdir n n/source; echo 1 > n/source/f; chown -R nobody n
      as() { setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH ./holdfast "$@"; }
      as init --unsealed -r n/repository --quiet
      try() { as backup n/source -r n/repository --quiet 2>err; echo "$1: $? $(head -c 60 err)"; }
      try key
      chmod 700 /etc/holdfast; try closed
      chmod 755 /etc/holdfast; echo 'repositories: [' > /etc/holdfast/holdfast.yaml; chmod 600 /etc/holdfast/holdfast.yaml; try secret
      mkdir -m 700 /etc/holdfast/conf.d; rm /etc/holdfast/holdfast.yaml; try folder
      echo 'repositories: [' > /etc/holdfast/holdfast.yaml; rmdir /etc/holdfast/conf.d; try broken
      """)
    guard let result else { return }
    #expect(result.error == "")
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(
      lines.dropLast() == [
        "755 /etc/holdfast", "600 /etc/holdfast/writer.key", "key: 0 ", "closed: 0 ", "secret: 0 ", "folder: 0 ",
      ])
    #expect(lines.last?.hasPrefix("broken: 0 holdfast: WARNING: ") == true, "\(lines)")
  }
}
