#ifndef MESHLIB_SECURITY_PEER_IDENTITY_H_
#define MESHLIB_SECURITY_PEER_IDENTITY_H_

#include <string>
#include <vector>

namespace meshlib::security {

// Who a certificate says that its owner is. A value.
struct PeerIdentity {
  std::string subject;  // RFC 2253: "CN=echo,O=shop"; may be empty
  // The subject alternative names, in the certificate's order.
  std::vector<std::string> uris;  // "spiffe://cluster.local/ns/a/sa/b"
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  // as inet_ntop writes them
  std::vector<std::string> emails;
  struct OtherName {
    std::string oid;  // "1.3.6.1.4.1.311.20.2.3"
    std::string value;

    friend bool operator==(const OtherName& a, const OtherName& b) {
      return a.oid == b.oid && a.value == b.value;
    }
  };
  std::vector<OtherName> other_names;  // those whose value is a text

  friend bool operator==(const PeerIdentity& a, const PeerIdentity& b) {
    return a.subject == b.subject && a.uris == b.uris &&
           a.dns_names == b.dns_names && a.ip_addresses == b.ip_addresses &&
           a.emails == b.emails && a.other_names == b.other_names;
  }
};

}  // namespace meshlib::security

#endif  // MESHLIB_SECURITY_PEER_IDENTITY_H_
