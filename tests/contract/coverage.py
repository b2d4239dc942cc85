"""Which contract test stands for which command: a row for every command of the simulator."""

COVERED = {
    "authorizeSecurityGroupEgress": (
        "test_security_groups::test_what_vms_may_connect_to_is_authorised_alike"
    ),
    "authorizeSecurityGroupIngress": ("test_security_groups::test_what_is_wrong_fails_in_the_job"),
    "createSecurityGroup": ("test_security_groups::test_a_group_is_made_at_once_and_its_name_once"),
    "deleteSecurityGroup": ("test_security_groups::test_a_deleted_group_is_unknown_with_its_rules"),
    "listSecurityGroups": ("test_security_groups::test_a_group_shows_its_vms_and_a_vm_its_groups"),
    "revokeSecurityGroupEgress": (
        "test_security_groups::test_what_vms_may_connect_to_is_authorised_alike"
    ),
    "revokeSecurityGroupIngress": (
        "test_security_groups::test_a_revoked_rule_is_unknown_and_may_be_made_again"
    ),
    "addVirtualMachinesToKubernetesCluster": (
        "test_kubernetes_clusters::test_the_vms_of_a_cluster_are_its_workers_and_its_control_plane"
    ),
    "createKubernetesCluster": (
        "test_kubernetes_clusters::test_a_cluster_of_an_unknown_kind_or_zone_is_refused"
    ),
    "deleteKubernetesCluster": "test_kubernetes_clusters::test_a_deleted_cluster_is_not_there",
    "listApis": "test_discovery::test_all_commands_of_the_keys_are_listed_without_pages",
    "listKubernetesClusters": (
        "test_kubernetes_clusters::test_an_unknown_cluster_is_refused_at_once"
    ),
    "removeVirtualMachinesFromKubernetesCluster": (
        "test_kubernetes_clusters::test_the_vms_of_a_cluster_are_its_workers_and_its_control_plane"
    ),
    "scaleKubernetesCluster": (
        "test_kubernetes_clusters::test_anothers_cluster_is_not_listed_and_not_to_be_touched"
    ),
    "startKubernetesCluster": (
        "test_kubernetes_clusters::test_anothers_cluster_is_not_listed_and_not_to_be_touched"
    ),
    "stopKubernetesCluster": (
        "test_kubernetes_clusters::test_an_unknown_cluster_is_refused_at_once"
    ),
    "addNicToVirtualMachine": "test_virtual_machines::test_nics_are_listed_added_and_removed",
    "assignCertToLoadBalancer": (
        "test_certificates::test_another_certificate_is_assigned_only_if_forced"
    ),
    "deleteSslCert": (
        "test_certificates::test_a_certificate_is_deleted_when_no_rule_has_it_and_outlives_its_rule"
    ),
    "listSslCerts": "test_certificates::test_a_list_needs_one_of_its_filters",
    "removeCertFromLoadBalancer": "test_certificates::test_a_certificate_is_removed_once",
    "uploadSslCert": (
        "test_certificates::test_a_key_of_another_kind_or_of_another_certificate_is_refused"
    ),
    "assignToLoadBalancerRule": (
        "test_load_balancers::test_protocol_name_and_algorithm_change_in_place"
    ),
    "associateIpAddress": "test_addresses::test_an_address_that_was_chosen_is_associated",
    "changeServiceForVirtualMachine": (
        "test_virtual_machines::test_a_stopped_vm_takes_another_size"
    ),
    "createFirewallRule": "test_firewall::test_creating_answers_the_id_at_once",
    "createLBStickinessPolicy": "test_stickiness::test_a_policy_is_listed_with_its_parameters",
    "createLoadBalancerRule": (
        "test_load_balancers::test_a_rule_shows_its_ports_as_strings_and_waits_for_members"
    ),
    "createLoadBalancer": (
        "test_internal_load_balancers::"
        "test_a_load_balancer_shows_its_ports_as_numbers_and_no_protocol"
    ),
    "createNetworkACL": (
        "test_acl_items::test_an_item_shows_its_ports_as_strings_and_its_number_as_one"
    ),
    "createNetworkACLList": "test_acl_lists::test_names_are_not_unique",
    "createNetwork": "test_networks::test_a_network_needs_an_offering_and_a_zone",
    "createPortForwardingRule": (
        "test_port_forwarding::test_a_rule_shows_its_ports_as_strings_and_its_vm"
    ),
    "createProject": "test_projects::test_a_projects_name_is_taken_once",
    "createTags": "test_tags::test_a_key_that_is_there_fails_the_whole_call_in_the_job",
    "deleteFirewallRule": "test_firewall::test_a_deleted_rule_is_unknown",
    "deleteLBStickinessPolicy": "test_stickiness::test_a_deleted_policy_leaves_the_rule",
    "deleteLoadBalancerRule": "test_load_balancers::test_a_deleted_rule_is_unknown",
    "deleteLoadBalancer": (
        "test_internal_load_balancers::test_a_deleted_one_is_unknown_and_its_address_free"
    ),
    "deleteNetworkACL": "test_acl_items::test_a_deleted_item_is_unknown",
    "deleteNetworkACLList": "test_acl_lists::test_a_list_that_a_tier_has_cannot_be_deleted",
    "deleteNetwork": "test_networks::test_an_empty_network_can_be_deleted",
    "deletePortForwardingRule": "test_port_forwarding::test_a_deleted_rule_is_unknown",
    "deleteProject": "test_projects::test_a_project_with_vms_cannot_be_deleted",
    "deleteTags": "test_tags::test_a_tag_is_deleted_once",
    "deployVirtualMachine": "test_virtual_machines::test_deploying_answers_the_id_at_once",
    "destroyVirtualMachine": "test_virtual_machines::test_a_destroyed_vm_is_gone_for_its_user",
    "disableStaticNat": "test_addresses::test_an_address_can_be_mapped_to_a_vm",
    "disassociateIpAddress": "test_addresses::test_releasing_takes_rules_and_tags_along",
    "enableStaticNat": "test_addresses::test_an_address_can_be_mapped_to_a_vm",
    "expungeVirtualMachine": (
        "test_virtual_machines::test_expunging_and_recovering_are_for_those_who_may"
    ),
    "listAccounts": "test_catalogue::test_a_user_sees_its_own_account_alone",
    "listAffinityGroups": "test_catalogue::test_vpcs_and_affinity_groups_are_listed",
    "listAsyncJobs": "test_jobs::test_a_pending_job_is_listed_and_has_no_result",
    "listCapabilities": "test_catalogue::test_an_ordinary_user_is_told_the_version",
    "listFirewallRules": "test_firewall::test_rules_carry_tags_and_are_found_by_them",
    "listLBStickinessPolicies": "test_stickiness::test_policies_of_nothing_are_refused",
    "listLoadBalancerRuleInstances": (
        "test_members::test_members_are_listed_with_their_addresses_where_asked"
    ),
    "listLoadBalancerRules": (
        "test_load_balancers::test_rules_are_found_by_address_name_network_and_keyword"
    ),
    "listLoadBalancers": (
        "test_internal_load_balancers::"
        "test_it_is_found_by_network_name_and_tag_and_not_by_its_address"
    ),
    "listNetworkACLLists": (
        "test_acl_lists::test_the_lists_of_a_vpc_come_newest_first_and_the_default_ones_last"
    ),
    "listNetworkACLs": "test_acl_items::test_an_item_by_its_tier_goes_to_the_tiers_list",
    "listNetworkOfferings": (
        "test_catalogue::test_network_offerings_are_filtered_by_type_and_services"
    ),
    "listNetworks": "test_networks::test_networks_are_found_by_id_keyword_and_services",
    "listNics": "test_virtual_machines::test_nics_are_listed_added_and_removed",
    "listPortForwardingRules": "test_port_forwarding::test_rules_are_found_by_address_and_tag",
    "listProjects": "test_projects::test_a_project_is_made_with_the_callers_account_as_owner",
    "listPublicIpAddresses": "test_addresses::test_addresses_are_found_by_id_address_and_network",
    "listResourceLimits": "test_catalogue::test_limits_are_listed_by_their_type",
    "listServiceOfferings": (
        "test_catalogue::test_service_offerings_are_listed_by_id_and_exact_name"
    ),
    "listTags": "test_tags::test_tags_are_listed_one_by_one",
    "listTemplates": "test_catalogue::test_templates_need_a_filter",
    "listUsers": "test_catalogue::test_a_user_sees_itself_alone_and_no_secret",
    "listVPCs": "test_vpc_addresses::test_a_vpc_shows_its_tiers_and_its_services",
    "listVirtualMachines": (
        "test_virtual_machines::test_vms_are_filtered_by_state_zone_and_network"
    ),
    "listZones": "test_catalogue::test_zones_are_listed_by_id_name_and_ids",
    "queryAsyncJobResult": (
        "test_jobs::test_a_failed_job_is_answered_with_200_and_the_error_inside"
    ),
    "rebootVirtualMachine": "test_power::test_rebooting_works_on_running_vms_alone",
    "recoverVirtualMachine": (
        "test_virtual_machines::test_expunging_and_recovering_are_for_those_who_may"
    ),
    "removeFromLoadBalancerRule": "test_members::test_a_rule_is_active_while_it_has_members",
    "removeNicFromVirtualMachine": "test_virtual_machines::test_nics_are_listed_added_and_removed",
    "replaceNetworkACLList": (
        "test_acl_lists::test_a_tier_gets_another_list_or_the_same_and_the_items_stay_in_the_former"
    ),
    "scaleVirtualMachine": "test_virtual_machines::test_a_stopped_vm_takes_another_size",
    "startVirtualMachine": "test_power::test_starting_a_running_vm_fails_in_the_job",
    "stopVirtualMachine": "test_power::test_stopping_twice_is_no_failure",
    "updateLBStickinessPolicy": (
        "test_stickiness::test_an_update_of_a_policy_succeeds_and_changes_nothing"
    ),
    "updateLoadBalancer": (
        "test_internal_load_balancers::"
        "test_an_update_of_the_rule_fails_and_has_changed_the_algorithm"
    ),
    "updateNetworkACLItem": (
        "test_acl_items::test_a_wrong_update_fails_in_the_job_and_changes_nothing"
    ),
    "updateLoadBalancerRule": (
        "test_load_balancers::test_protocol_name_and_algorithm_change_in_place"
    ),
    "updateResourceLimit": "test_catalogue::test_a_user_may_not_change_a_limit",
    "updateVirtualMachine": (
        "test_virtual_machines::test_a_vm_takes_another_name_stopped_or_running"
    ),
}
