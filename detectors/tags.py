"""The frameworks that a finding cites: their ids and names as data, and which tags are valid.

A tag is lower case: `owasp.asi02`, `owasp.nhi5`, `maestro.compromised-agents`, `nist.ai-rmf.measure-2.4`,
`attack.t1078.004`, `atlas.aml.t0086`. Sources: OWASP Top 10 for Agentic Applications 2026, OWASP Non-Human
Identities Top 10 2025, CSA MAESTRO (February 2025; its threats have names, no ids), NIST AI RMF 1.0
(AI 100-1), MITRE ATT&CK Enterprise v19, MITRE ATLAS 5.6. A tag says that a finding supports a control or
resembles a technique, never that somebody complies.
"""

from __future__ import annotations

import re

ATTACK_VERSION = "19"

OWASP_ASI = {
    "asi01": "Agent Goal Hijack",
    "asi02": "Tool Misuse and Exploitation",
    "asi03": "Identity and Privilege Abuse",
    "asi04": "Agentic Supply Chain Vulnerabilities",
    "asi05": "Unexpected Code Execution (RCE)",
    "asi06": "Memory & Context Poisoning",
    "asi07": "Insecure Inter-Agent Communication",
    "asi08": "Cascading Failures",
    "asi09": "Human-Agent Trust Exploitation",
    "asi10": "Rogue Agents",
}

OWASP_NHI = {
    "nhi1": "Improper Offboarding",
    "nhi2": "Secret Leakage",
    "nhi3": "Vulnerable Third-Party NHI",
    "nhi4": "Insecure Authentication",
    "nhi5": "Overprivileged NHI",
    "nhi6": "Insecure Cloud Deployment Configurations",
    "nhi7": "Long-Lived Secrets",
    "nhi8": "Environment Isolation",
    "nhi9": "NHI Reuse",
    "nhi10": "Human Use of NHI",
}

MAESTRO_LAYERS = {
    "L1 Foundation Models": (
        "Adversarial Examples", "Model Stealing", "Backdoor Attacks", "Membership Inference Attacks",
        "Data Poisoning (Training Phase)", "Reprogramming Attacks", "Denial of Service (DoS) Attacks",
    ),
    "L2 Data Operations": (
        "Data Poisoning", "Data Exfiltration", "Denial of Service on Data Infrastructure", "Data Tampering",
        "Compromised RAG Pipelines",
    ),
    "L3 Agent Frameworks": (
        "Compromised Framework Components", "Backdoor Attacks", "Input Validation Attacks", "Supply Chain Attacks",
        "Denial of Service on Framework APIs", "Framework Evasion",
    ),
    "L4 Deployment and Infrastructure": (
        "Compromised Container Images", "Orchestration Attacks", "Infrastructure-as-Code (IaC) Manipulation", "DoS",
        "Resource Hijacking", "Lateral Movement",
    ),
    "L5 Evaluation and Observability": (
        "Manipulation of Evaluation Metrics", "Compromised Observability Tools", "DoS on Evaluation Infrastructure",
        "Evasion of Detection", "Data Leakage through Observability", "Poisoning Observability Data",
    ),
    "L6 Security and Compliance": (
        "Security Agent Data Poisoning", "Evasion of Security AI Agents", "Compromised Security AI Agents",
        "Regulatory Non-Compliance by AI Security Agents", "Bias in Security AI Agents",
        "Lack of Explainability in Security AI Agents", "Model Extraction of AI Security Agents",
    ),
    "L7 Agent Ecosystem": (
        "Compromised Agents", "Agent Impersonation", "Agent Identity Attack", "Agent Tool Misuse",
        "Agent Goal Manipulation", "Marketplace Manipulation", "Integration Risks",
        "Horizontal/Vertical Solution Vulnerabilities", "Repudiation", "Compromised Agent Registry",
        "Malicious Agent Discovery", "Agent Pricing Model Manipulation", "Inaccurate Agent Capability Description",
    ),
    "Cross-Layer": (
        "Supply Chain Attacks", "Lateral Movement", "Privilege Escalation", "Data Leakage",
        "Goal Misalignment Cascades",
    ),
}  # fmt: skip

NIST_SUBCATEGORIES = {
    "govern": (7, 3, 2, 3, 2, 2),
    "map": (6, 3, 5, 2, 2),
    "measure": (3, 13, 3, 3),
    "manage": (4, 4, 2, 3),
}
"""How many subcategories each category has, in order: GOVERN 1.1 to 1.7, 2.1 to 2.3, and so on; 72 in all."""

NIST_NAMES = {
    "govern-1.5": "Ongoing monitoring and periodic review",
    "govern-1.6": "Mechanisms to inventory AI systems",
    "govern-1.7": "Decommissioning",
    "govern-2.1": "Roles and lines of communication",
    "govern-3.2": "Roles for human-AI configurations and oversight",
    "govern-6.1": "Third-party risk policies",
    "map-3.5": "Human-oversight processes",
    "map-4.2": "Internal controls for components",
    "measure-1.2": "Effectiveness of controls assessed",
    "measure-2.4": "Functionality and behaviour monitored in production",
    "measure-2.7": "Security and resilience",
    "measure-2.8": "Transparency and accountability",
    "measure-2.13": "Effectiveness of the metrics themselves",
    "measure-3.1": "Existing, unanticipated and emergent risks tracked",
    "manage-2.3": "Response to previously unknown risk",
    "manage-2.4": "Mechanisms to supersede, disengage or deactivate",
    "manage-3.1": "Third-party resources monitored",
    "manage-4.1": "Post-deployment monitoring plans",
    "manage-4.3": "Incidents and errors communicated and tracked",
}

ATTACK_NAMES = {
    "t1020": "Automated Exfiltration",
    "t1021.007": "Cloud Services",
    "t1030": "Data Transfer Size Limits",
    "t1041": "Exfiltration Over C2 Channel",
    "t1048": "Exfiltration Over Alternative Protocol",
    "t1059.009": "Cloud API",
    "t1069.003": "Cloud Groups",
    "t1071": "Application Layer Protocol",
    "t1071.001": "Web Protocols",
    "t1071.004": "DNS",
    "t1078": "Valid Accounts",
    "t1078.004": "Cloud Accounts",
    "t1087.004": "Cloud Account",
    "t1090": "Proxy",
    "t1098": "Account Manipulation",
    "t1098.001": "Additional Cloud Credentials",
    "t1098.003": "Additional Cloud Roles",
    "t1098.006": "Additional Container Cluster Roles",
    "t1102": "Web Service",
    "t1119": "Automated Collection",
    "t1136.003": "Cloud Account",
    "t1199": "Trusted Relationship",
    "t1213": "Data from Information Repositories",
    "t1484.002": "Trust Modification",
    "t1485": "Data Destruction",
    "t1490": "Inhibit System Recovery",
    "t1496": "Resource Hijacking",
    "t1496.001": "Compute Hijacking",
    "t1496.004": "Cloud Service Hijacking",
    "t1526": "Cloud Service Discovery",
    "t1528": "Steal Application Access Token",
    "t1530": "Data from Cloud Storage",
    "t1531": "Account Access Removal",
    "t1537": "Transfer Data to Cloud Account",
    "t1548": "Abuse Elevation Control Mechanism",
    "t1548.005": "Temporary Elevated Cloud Access",
    "t1550": "Use Alternate Authentication Material",
    "t1550.001": "Application Access Token",
    "t1552": "Unsecured Credentials",
    "t1552.001": "Credentials In Files",
    "t1552.005": "Cloud Instance Metadata API",
    "t1552.007": "Container API",
    "t1555.006": "Cloud Secrets Management Stores",
    "t1556": "Modify Authentication Process",
    "t1556.009": "Conditional Access Policies",
    "t1567": "Exfiltration Over Web Service",
    "t1567.001": "Exfiltration to Code Repository",
    "t1567.002": "Exfiltration to Cloud Storage",
    "t1572": "Protocol Tunneling",
    "t1578": "Modify Cloud Compute Infrastructure",
    "t1580": "Cloud Infrastructure Discovery",
    "t1606": "Forge Web Credentials",
    "t1606.002": "SAML Tokens",
    "t1619": "Cloud Storage Object Discovery",
    "t1648": "Serverless Execution",
    "t1651": "Cloud Administration Command",
    "t1685": "Disable or Modify Tools",
    "t1685.002": "Disable or Modify Cloud Log",
    "t1686.001": "Cloud Firewall",
}
"""Names of the techniques that are cited here; a tag may name any technique of the current version."""

ATTACK_RETIRED = {
    "t1562": "t1685",
    "t1562.004": "t1686",
    "t1562.007": "t1686.001",
    "t1562.008": "t1685.002",
    "t1562.010": "t1689",
    "t1070.001": "t1685.005",
    "t1656": "t1684.001",
}
"""What ATT&CK v19 renamed (Defense Evasion became Stealth and Defense Impairment): older packs use the left side."""

ATLAS_NAMES = {
    "aml.t0012": "Valid Accounts",
    "aml.t0025": "Exfiltration via Cyber Means",
    "aml.t0029": "Denial of AI Service",
    "aml.t0034": "Cost Harvesting",
    "aml.t0034.000": "Excessive Queries",
    "aml.t0034.001": "Resource-Intensive Queries",
    "aml.t0034.002": "Agentic Resource Consumption",
    "aml.t0040": "AI Model Inference API Access",
    "aml.t0048.000": "Financial Harm",
    "aml.t0051": "LLM Prompt Injection",
    "aml.t0051.000": "Direct",
    "aml.t0051.001": "Indirect",
    "aml.t0051.002": "Triggered",
    "aml.t0053": "AI Agent Tool Invocation",
    "aml.t0054": "LLM Jailbreak",
    "aml.t0055": "Unsecured Credentials",
    "aml.t0075": "Cloud Service Discovery",
    "aml.t0080": "AI Agent Context Poisoning",
    "aml.t0081": "Modify AI Agent Configuration",
    "aml.t0082": "RAG Credential Harvesting",
    "aml.t0083": "Credentials from AI Agent Configuration",
    "aml.t0084": "Discover AI Agent Configuration",
    "aml.t0085": "Data from AI Services",
    "aml.t0085.001": "AI Agent Tools",
    "aml.t0086": "Exfiltration via AI Agent Tool Invocation",
    "aml.t0091": "Use Alternate Authentication Material",
    "aml.t0091.000": "Application Access Token",
    "aml.t0098": "AI Agent Tool Credential Harvesting",
    "aml.t0099": "AI Agent Tool Data Poisoning",
    "aml.t0101": "Data Destruction via AI Agent Tool Invocation",
    "aml.t0103": "Deploy AI Agent",
    "aml.t0104": "Publish Poisoned AI Agent Tool",
    "aml.t0108": "AI Agent",
    "aml.t0109": "AI Supply Chain Rug Pull",
    "aml.t0110": "AI Agent Tool Poisoning",
}
"""Names of the ATLAS techniques that are cited here; a tag may name any technique of the current version."""

_ATTACK = re.compile(r"t1[0-9]{3}(\.[0-9]{3})?")
_ATLAS = re.compile(r"aml\.t0[0-9]{3}(\.[0-9]{3})?")


def slug(name: str) -> str:
    """A MAESTRO threat's name as a tag writes it: `Backdoor Attacks` is `backdoor-attacks`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


MAESTRO = {slug(name): name for names in MAESTRO_LAYERS.values() for name in names}

NIST = frozenset(
    f"{function}-{category}.{subcategory}"
    for function, counts in NIST_SUBCATEGORIES.items()
    for category, count in enumerate(counts, start=1)
    for subcategory in range(1, count + 1)
)


def fault(tag: str) -> str | None:
    """What is wrong with `tag` and what to write instead; None for a valid tag."""
    framework, _, name = tag.partition(".")
    if framework == "owasp":
        return None if name in OWASP_ASI or name in OWASP_NHI else "OWASP has asi01 to asi10 and nhi1 to nhi10"
    if framework == "maestro":
        return (
            None if name in MAESTRO else "MAESTRO has no threat of this name; see MAESTRO_LAYERS in detectors/tags.py"
        )
    if framework == "nist":
        known = name.startswith("ai-rmf.") and name.removeprefix("ai-rmf.") in NIST
        return None if known else "AI RMF 1.0 has no such subcategory; write for example nist.ai-rmf.measure-2.4"
    if framework == "attack":
        return _attack_fault(name)
    if framework == "atlas":
        return None if _ATLAS.fullmatch(name) else "write for example atlas.aml.t0086 or atlas.aml.t0091.000"
    return "a tag begins with owasp., maestro., nist.ai-rmf., attack. or atlas., all in lower case"


def _attack_fault(name: str) -> str | None:
    if name in ATTACK_RETIRED:
        return f"ATT&CK v{ATTACK_VERSION} calls it attack.{ATTACK_RETIRED[name]}"
    return None if _ATTACK.fullmatch(name) else "write for example attack.t1078 or attack.t1078.004"


def label(tag: str) -> str:
    """A valid tag as people write it: `owasp.asi02` is `ASI02 Tool Misuse and Exploitation`."""
    framework, _, name = tag.partition(".")
    if framework == "maestro":
        layers = [layer.split(" ")[0] for layer, names in MAESTRO_LAYERS.items() if MAESTRO[name] in names]
        return f"MAESTRO {MAESTRO[name]} ({', '.join(layers)})"
    if framework == "nist":
        subcategory = name.removeprefix("ai-rmf.")
        return f"{subcategory.upper().replace('-', ' ')} {NIST_NAMES.get(subcategory, '')}".rstrip()
    names = {**OWASP_ASI, **OWASP_NHI, **ATTACK_NAMES, **ATLAS_NAMES}
    return f"{name.upper()} {names.get(name, '')}".rstrip()
